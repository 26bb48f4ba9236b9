from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindstream.config import Problem, QueryConfig, check_config, json_schema, load_config
from bindstream.config.gate import GateConfig
from bindstream.errors import ConfigError
from bindstream.gate import GATE_LEVELS, REFRESH_S
from bindstream.models import model_directory
from bindstream.models.directory import read_spec
from bindstream.sources.registry import KINDS
from bindstream.teaching.taught import save_taught
from tests.teaching.test_taught import made

GOOD = """\
streams:
  - name: door
    source: {kind: camera, url: "rtsp://10.0.0.7/stream"}
  - name: heat
    source: {kind: thermal, device: 1}
"""


def problems_of(tmp_path: Path, text: str) -> list[Problem]:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return check_config(path)


def only_problem(tmp_path: Path, text: str) -> Problem:
    found = problems_of(tmp_path, text)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


def test_a_good_file_has_no_problems_and_loads_with_defaults(tmp_path: Path) -> None:
    assert problems_of(tmp_path, GOOD) == []
    config = load_config(tmp_path / "config.yaml")
    assert [(s.name, s.modality) for s in config.streams] == [
        ("door", "vision"),
        ("heat", "thermal"),
    ]
    assert config.model.name == "starter"
    assert config.bus.address == "tcp://127.0.0.1:5560"
    assert [sink.kind for sink in config.sinks] == ["terminal"]


def test_every_problem_is_listed_with_its_line(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """\
streams:
  - name: Front Door
    source: {kind: camera, url: "ftp://10.0.0.7/stream"}
  - name: heat
    source: {kind: thermal, device: 1}
    hop_s: -1
  - name: heat
    source: {kind: thermal, device: 1}
modle: {}
queries:
  - text: glass breaking
    on: 3
    off: 5
  - text: dog barking
    streams: [garden]
  - text: fire
    modalities: [depth]
sinks:
  - {kind: jsonl}
""",
    )
    assert [(p.line, p.path) for p in found] == [
        (2, "streams[0].name"),
        (3, "streams[0].source.url"),
        (6, "streams[1].hop_s"),
        (7, "streams[2].name"),
        (9, "modle"),
        (11, "queries[0]"),
        (15, "queries[1].streams"),
        (19, "sinks[0].path"),
    ]


def test_a_query_for_a_modality_that_no_stream_has_is_a_problem(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, GOOD + "queries:\n  - {text: fire, modalities: [depth]}\n")
    assert (problem.line, problem.path) == (7, "queries[0].modalities")
    narrowed = "queries:\n  - {text: fire, streams: [heat], modalities: [vision]}\n"
    assert only_problem(tmp_path, GOOD + narrowed).path == "queries[0].modalities"


def test_an_unknown_key_is_met_with_the_one_that_was_meant(tmp_path: Path) -> None:
    text = GOOD.replace("url:", "ulr:")
    found = {p.path: p for p in problems_of(tmp_path, text)}
    assert "'url'" in found["streams[0].source.ulr"].fix
    top = only_problem(tmp_path, GOOD + "bus: {adress: tcp://127.0.0.1:1}\n")
    assert "'address'" in top.fix


def test_an_unknown_kind_is_met_with_the_known_ones(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, GOOD.replace("kind: thermal", "kind: termal"))
    assert (problem.path, problem.value) == ("streams[1].source.kind", "termal")
    assert all(kind in problem.fix for kind in KINDS)


def test_a_missing_kind_is_met_with_the_known_ones(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, GOOD.replace("kind: thermal, ", ""))
    assert problem.path == "streams[1].source.kind"
    assert "thermal" in problem.fix


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("streams: [\n  - name: a\n", 2, "YAML"),
        ("streams:\n\t- name: a\n", 2, "YAML"),
        (GOOD + "model: {}\nmodel: {}\n", 7, "line 6"),
        ("- a\n- b\n", 1, "mapping"),
        ("", 1, "mapping"),
        ("streams: []\n", 1, "empty"),
        ("model: {}\n", 1, "required"),
    ],
)
def test_what_is_no_configuration_is_said_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    problem = only_problem(tmp_path, text)
    assert problem.line == line
    assert said in str(problem)


def test_a_file_that_cannot_be_read_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    (problem,) = check_config(tmp_path / "none.yaml")
    assert "No such file" in problem.what
    (tmp_path / "latin.yaml").write_bytes("name: Tür\n".encode("latin-1"))
    (problem,) = check_config(tmp_path / "latin.yaml")
    assert "UTF-8" in problem.what
    with pytest.raises(ConfigError):
        load_config(tmp_path / "latin.yaml")


def test_on_and_off_are_keys_and_not_booleans(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD + "queries:\n  - {text: fire, on: 6, off: 2}\n")
    (query,) = load_config(path).queries
    assert (query.on, query.off) == (6, 2)


@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:5560", "tcp://*:5560", "tcp://10.1.2.3:5560", "tcp://[::]:5560"]
)
def test_a_bus_open_to_others_needs_keys(tmp_path: Path, address: str) -> None:
    problem = only_problem(tmp_path, GOOD + f'bus: {{address: "{address}"}}\n')
    assert "keys" in problem.what
    assert "bindstream keys" in problem.fix
    (tmp_path / "keys").mkdir()
    assert problems_of(tmp_path, GOOD + f'bus: {{address: "{address}", keys: keys}}\n') == []


@pytest.mark.parametrize("address", ["127.0.0.1:5560", "tcp://127.0.0.1", "udp://h:1", "ipc://"])
def test_an_address_that_is_none_is_a_problem(tmp_path: Path, address: str) -> None:
    problem = only_problem(tmp_path, GOOD + f'bus: {{address: "{address}"}}\n')
    assert (problem.path, problem.value) == ("bus.address", address)


def test_relative_paths_start_from_the_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.mkv").touch()
    monkeypatch.chdir("/")
    path = tmp_path / "config.yaml"
    path.write_text(
        "streams:\n"
        "  - {name: a, source: {kind: camera, file: clip.mkv}}\n"
        "sinks:\n"
        "  - {kind: jsonl, path: runs/alerts.jsonl}\n"
    )
    config = load_config(path)
    assert config.streams[0].source.model_dump()["file"] == tmp_path / "clip.mkv"
    assert config.sinks[0].model_dump()["path"] == tmp_path / "runs/alerts.jsonl"


def test_files_that_are_not_there_are_problems(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        "streams:\n"
        "  - {name: a, source: {kind: camera, file: none.mkv}}\n"
        "model: {name: ./none}\n"
        "bus: {keys: none}\n",
    )
    assert [(p.line, p.path) for p in found] == [
        (2, "streams[0].source.file"),
        (3, "model.name"),
        (4, "bus.keys"),
    ]
    assert all(str(tmp_path) in p.fix for p in found)


def test_a_modality_that_contradicts_the_source_is_a_problem(tmp_path: Path) -> None:
    text = GOOD.replace("name: heat\n", "name: heat\n    modality: vision\n")
    assert only_problem(tmp_path, text).path == "streams[1]"


def test_odd_windows_warn_and_still_load(tmp_path: Path) -> None:
    sound = (
        "streams:\n  - {name: a, source: {kind: scene}, modality: audio, window_s: 3, hop_s: 4}\n"
    )
    found = problems_of(tmp_path, sound)
    assert [(p.path, p.severity) for p in found] == [
        ("streams[0].window_s", "warning"),
        ("streams[0].hop_s", "warning"),
    ]
    assert load_config(tmp_path / "config.yaml").streams[0].window_s == 3


def test_a_scene_has_to_say_which_sensor_it_is(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, "streams:\n  - {name: a, source: {kind: scene}}\n")
    assert problem.path == "streams[0].modality"
    assert "thermal" in problem.fix


def test_a_hop_the_windower_would_refuse_is_an_error(tmp_path: Path) -> None:
    text = GOOD.replace("name: heat\n", "name: heat\n    hop_s: 30\n")
    assert only_problem(tmp_path, text).severity == "error"


def test_passwords_are_not_repeated_in_problems(tmp_path: Path) -> None:
    text = GOOD.replace("rtsp://10.0.0.7/stream", "rtps://admin:hunter2@10.0.0.7/s?pw=hunter3")
    problem = only_problem(tmp_path, text)
    assert "10.0.0.7" in str(problem)
    assert "hunter" not in str(problem)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config.yaml")
    assert "hunter" not in str(caught.value)


def test_the_error_lists_all_problems(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD + "modle: {}\nbuss: {}\n")
    with pytest.raises(ConfigError, match="2 problems") as caught:
        load_config(path)
    assert "modle" in str(caught.value)
    assert "buss" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Glass breaking!", "glass-breaking"),
        (["a dog barks", "barking"], "a-dog-barks"),
        ("ガラス", "query-"),
    ],
)
def test_a_query_is_named_after_its_words(text: object, expected: str) -> None:
    query = QueryConfig.model_validate({"text": text})
    assert query.id.startswith(expected)
    assert isinstance(query.text, tuple)


def test_queries_of_the_same_words_need_ids(tmp_path: Path) -> None:
    twice = GOOD + "queries:\n  - {text: fire}\n  - {text: Fire}\n"
    assert only_problem(tmp_path, twice).path == "queries[1].id"
    named = GOOD + "queries:\n  - {text: fire}\n  - {text: Fire, id: fire-2}\n"
    assert problems_of(tmp_path, named) == []


def test_the_schema_knows_every_kind_and_does_not_ask_for_the_modality() -> None:
    schema = json_schema()
    stream = schema["$defs"]["StreamConfig"]
    assert stream["required"] == ["name", "source"]
    assert set(stream["properties"]["source"]["discriminator"]["mapping"]) == set(KINDS)
    either = schema["$defs"]["QueryConfig"]["anyOf"]
    assert either == [{"required": [key]} for key in ("text", "like", "plus", "taught")]


SECTIONS = ["streams", "model", "bus", "ray", "queries", "sinks", "history"]
WORDS = """streams queries name modality source kind window_s hop_s placement url device text
on off id taught like plus minus modalities path keep_days flush_s keys address celsius features
span_c"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["camera", "thermal", "scene", "jsonl", "audio", "tcp://0.0.0.0:1", "./x"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS | st.text(max_size=3) | st.integers(), inner, max_size=5)
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(SECTIONS), ANYTHING, max_size=6))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_a_file_says_is_answered_with_problems(tmp_path: Path, data: object) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    for problem in check_config(path):
        assert problem.line >= 1
        assert str(problem)


@pytest.mark.parametrize(
    "text", ["a: &a [*a]\n", "? [1, 2]\n: 3\n", "1: 2\n", "a: !!python/none x\n"]
)
def test_odd_yaml_is_answered_with_problems(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text)


def test_a_lone_phrase_in_place_of_a_list_is_pointed_at_itself(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "streams:\n  - {name: a, modality: audio, source: {kind: scene}}\nqueries:\n  - text: ''\n"
    )
    (problem,) = check_config(file)
    assert (problem.line, problem.path) == (4, "queries[0].text")


def test_windows_too_far_apart_to_make_one_event_warn(tmp_path: Path) -> None:
    text = "streams:\n  - {name: a, source: {kind: scene}, modality: audio, hop_s: HOP}\n"
    problem = only_problem(tmp_path, text.replace("HOP", "8"))
    assert (problem.path, problem.severity) == ("streams[0].hop_s", "warning")
    assert "an event of its own" in problem.what
    assert "event" not in only_problem(tmp_path, text.replace("HOP", "6")).what


@pytest.mark.parametrize("speed", ["0", "-1", ".inf", ".nan", "slow"])
def test_a_speed_at_which_nothing_plays_is_a_problem(tmp_path: Path, speed: str) -> None:
    text = "streams:\n  - {name: a, modality: imu, source: {kind: scene, speed: SPEED}}\n"
    found = problems_of(tmp_path, text.replace("SPEED", speed))
    assert {p.path for p in found} == {"streams[0].source.speed"}


def test_no_part_of_a_password_with_odd_signs_is_repeated(tmp_path: Path) -> None:
    text = GOOD.replace("rtsp://10.0.0.7/stream", "rtps://admin:p@ss/w0rd@10.0.0.7/stream")
    said = str(only_problem(tmp_path, text))
    assert "10.0.0.7" in said
    assert "ss/w0rd" not in said


# The gate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["true", "{}"])
def test_a_gate_takes_the_levels_of_its_modality(tmp_path: Path, written: str) -> None:
    text = GOOD + f"    gate: {written}\n"
    assert problems_of(tmp_path, text) == []
    door, heat = load_config(tmp_path / "config.yaml").streams
    assert door.gate is None
    assert heat.gate is not None
    assert heat.gate.levels("thermal") == GATE_LEVELS["thermal"]
    assert heat.gate.refresh_s == REFRESH_S


@pytest.mark.parametrize("written", ["false", "null"])
def test_a_gate_can_be_switched_off(tmp_path: Path, written: str) -> None:
    assert problems_of(tmp_path, GOOD + f"    gate: {written}\n") == []
    assert load_config(tmp_path / "config.yaml").streams[1].gate is None


def test_a_level_that_is_set_holds(tmp_path: Path) -> None:
    assert problems_of(tmp_path, GOOD + "    gate: {celsius: 2.5, refresh_s: 10}\n") == []
    gate = load_config(tmp_path / "config.yaml").streams[1].gate
    assert gate is not None
    assert gate.levels("thermal") == {"celsius": 2.5}
    assert gate.refresh_s == 10


def test_each_level_of_another_modality_is_named_in_its_line(tmp_path: Path) -> None:
    gate = "    gate:\n      celsius: 1\n      dbfs: -50\n      grey_levels: 3\n"
    found = problems_of(tmp_path, GOOD + gate)
    assert [(p.line, p.path) for p in found] == [
        (8, "streams[1].gate.dbfs"),
        (9, "streams[1].gate.grey_levels"),
    ]
    assert "audio" in found[0].what
    assert "celsius" in found[0].what


@pytest.mark.parametrize(
    ("gate", "path"),
    [
        ("{celsius: 0}", "celsius"),
        ("{celsius: -1}", "celsius"),
        ("{celsius: .nan}", "celsius"),
        ("{refresh_s: 0}", "refresh_s"),
        ("{celcius: 1}", "celcius"),
    ],
)
def test_a_level_that_cannot_be_is_a_problem(tmp_path: Path, gate: str, path: str) -> None:
    problem = only_problem(tmp_path, GOOD + f"    gate: {gate}\n")
    assert problem.path == f"streams[1].gate.{path}"


def test_every_level_there_is_can_be_set(tmp_path: Path) -> None:
    for modality, levels in GATE_LEVELS.items():
        section = ", ".join(f"{name}: {level}" for name, level in levels.items())
        text = "streams:\n  - {name: a, modality: %s, source: {kind: scene}, gate: {%s}}\n"
        assert problems_of(tmp_path, text % (modality, section)) == []
    assert set(GateConfig.model_fields) == {n for m in GATE_LEVELS.values() for n in m} | {
        "refresh_s"
    }


def test_a_model_that_is_not_installed_is_a_problem(tmp_path: Path) -> None:
    found = only_problem(tmp_path, GOOD + "model: {name: huge}\n")
    assert (found.line, found.path) == (6, "model.name")
    assert "installed: starter" in found.what


def test_a_models_bare_name_may_be_a_folder_beside_the_file(
    tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "huge").symlink_to(tiny_model)
    assert problems_of(tmp_path, GOOD + "model: {name: huge}\n") == []
    assert load_config(tmp_path / "config.yaml").model.name == str(tmp_path / "huge")


def test_a_folder_that_is_no_model_is_a_problem(tmp_path: Path) -> None:
    found = only_problem(tmp_path, GOOD + "model: {name: ./}\n")
    assert found.path == "model.name"
    assert "no model.json" in found.what


def test_towers_that_the_model_lacks_are_named_where_they_are_needed(
    tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "ears"
    folder.mkdir()
    card = json.loads((tiny_model / "model.json").read_text())
    for absent in ("text", "vision"):
        del card["towers"][absent]
    (folder / "model.json").write_text(json.dumps(card))
    text = GOOD + "model: {name: ears}\nqueries:\n  - text: a dog\n"
    found = {problem.path: problem.what for problem in problems_of(tmp_path, text)}
    assert set(found) == {"streams[0]", "queries"}
    assert "no tower for vision" in found["streams[0]"]
    assert "no tower for text" in found["queries"]


@pytest.mark.parametrize("text", ["🔥", "...", "'- -'"])
def test_a_query_without_a_word_is_a_problem(tmp_path: Path, text: str) -> None:
    found = only_problem(tmp_path, GOOD + f"queries:\n  - {{id: x, text: {text}}}\n")
    assert found.path == "queries[0].text"
    assert "no word" in found.what


def save_beep(folder: Path, model: Path | str = "starter", modality: str = "thermal") -> None:
    fingerprint = read_spec(model_directory(model)).fingerprint
    by = {"name": "starter", "fingerprint": fingerprint}
    save_taught(made(model=by, modality=modality), folder / "queries" / "beep.json")


TAUGHT = GOOD + "queries:\n  - taught: queries/beep.json\n"


def test_a_taught_query_is_found_beside_the_file(tmp_path: Path) -> None:
    save_beep(tmp_path)
    assert problems_of(tmp_path, TAUGHT) == []
    (query,) = load_config(tmp_path / "config.yaml").queries
    assert query.taught == tmp_path / "queries" / "beep.json"
    assert (query.id, query.text) == ("beep", ("beep",))


def test_a_taught_query_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    found = only_problem(tmp_path, TAUGHT)
    assert (found.line, found.path) == (7, "queries[0].taught")
    assert "beep.json" in found.what


def test_a_file_that_is_no_taught_query_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "beep.json").write_text("{}")
    assert "no taught query" in only_problem(tmp_path, TAUGHT).what


def test_a_query_taught_by_another_model_is_a_problem(tmp_path: Path, tiny_model: Path) -> None:
    save_beep(tmp_path, tiny_model)
    found = only_problem(tmp_path, TAUGHT)
    assert found.path == "queries[0].taught"
    assert "this model is" in found.what
    assert "bindstream teach --again" in found.fix


@pytest.mark.parametrize("narrowed", ["streams: door", "modalities: vision"])
def test_a_query_taught_by_what_it_does_not_hear_is_a_problem(
    tmp_path: Path, narrowed: str
) -> None:
    save_beep(tmp_path)
    found = only_problem(tmp_path, TAUGHT + f"    {narrowed}\n")
    assert found.path == "queries[0].taught"
    assert "is of thermal, and this query listens to vision" in found.what


def test_a_model_without_text_can_watch_for_what_it_was_taught(
    tmp_path: Path, tiny_model: Path
) -> None:
    shutil.copytree(tiny_model, tmp_path / "mute")
    card = json.loads((tmp_path / "mute" / "model.json").read_text())
    del card["towers"]["text"]
    (tmp_path / "mute" / "model.json").write_text(json.dumps(card))
    save_beep(tmp_path, tmp_path / "mute")
    assert problems_of(tmp_path, TAUGHT + "model: {name: ./mute}\n") == []
    assert "text" not in load_config(tmp_path / "config.yaml").towers


def test_words_as_negatives_of_a_taught_query_are_a_problem(tmp_path: Path) -> None:
    save_beep(tmp_path)
    found = only_problem(tmp_path, TAUGHT + "    negatives: [a dog]\n")
    assert "--not FILES" in found.what


def sum_problems(folder: Path, query: str) -> dict[str, str]:
    folder.joinpath("rex.wav").write_bytes(b"RIFF")
    np.save(folder / "v.npy", np.ones(256))
    np.save(folder / "bad.npy", np.array([1.0, np.nan]))
    found = problems_of(folder, GOOD + f"queries:\n  - {query}\n")
    return {problem.path: problem.what for problem in found}


def test_examples_are_found_beside_the_file(tmp_path: Path) -> None:
    text = "{text: fire, plus: [v.npy, a flame], minus: 0.5*v.npy, modalities: thermal}"
    assert sum_problems(tmp_path, text) == {}
    (query,) = load_config(tmp_path / "config.yaml").queries
    assert query.plus == (str(tmp_path / "v.npy"), "a flame")
    assert query.minus == (f"0.5*{tmp_path}/v.npy",)


@pytest.mark.parametrize(
    ("query", "place", "what"),
    [
        ("{like: gone.wav}", "like", "there is no "),
        ("{like: rex.wav}", "like", "is of audio, and this query listens to vision, thermal"),
        ("{text: fire, minus: bad.npy, modalities: thermal}", "minus", "NaN"),
        ("{like: v.npy}", "modalities", "is required"),
        ("{like: door/1795000000000000000}", "like", "nothing is kept"),
        (
            "{text: fire, plus: v.npy, negatives: rain, modalities: thermal}",
            "negatives",
            "no contrast",
        ),
        ("{plus: notes.xyz}", "plus", "there is no "),
    ],
)
def test_examples_that_cannot_be_used_are_problems(
    tmp_path: Path, query: str, place: str, what: str
) -> None:
    found = sum_problems(tmp_path, query)
    assert list(found) == [f"queries[0].{place}"]
    assert what in found[f"queries[0].{place}"]
