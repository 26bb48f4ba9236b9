"""The whole path in one process: what comes out, in what order, and that accounts close."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bindstream import Alert, Config, Embedding, Pipeline
from bindstream.calibration import WARM_UP
from bindstream.embedding import Embedder
from bindstream.errors import ConfigError, ModelError
from bindstream.models import load_model
from bindstream.teaching.lesson import Lesson, learn
from bindstream.teaching.taught import save_taught
from tests.teaching import recordings


def config(model: Path, **query: object) -> Config:
    scene = {"kind": "scene", "seed": 5, "length_s": 30, "speed": "max", "events": []}
    streams = [
        {"name": f"a-{m}", "modality": m, "source": scene} for m in ("vision", "audio", "imu")
    ]
    return Config.model_validate(
        {
            "streams": streams,
            "model": {"name": str(model), "threads": 1},
            "queries": [{"text": "a dog barking", **query}],
        }
    )


def test_every_window_of_a_recording_comes_out_as_a_unit_vector(tiny_model: Path) -> None:
    pipeline = Pipeline(config(tiny_model))
    records = [r for r in pipeline if isinstance(r, Embedding)]
    assert all(abs(float((r.vector**2).sum()) - 1) < 1e-5 for r in records)
    for name, health in pipeline.health().items():
        accounts = health.accounts
        assert accounts.pending == 0
        assert accounts.embedded == sum(r.stream == name for r in records)
        assert accounts.captured == accounts.embedded + sum(accounts.dropped.values())
    numbers = [r.seq for r in records if r.stream == "a-audio"]
    assert numbers == list(range(28)) or numbers == list(range(29))


def test_windows_of_streams_that_began_together_line_up(tiny_model: Path) -> None:
    starts: dict[str, set[int]] = {}
    for record in Pipeline(config(tiny_model)):
        starts.setdefault(record.stream, set()).add(record.start_ns)
    assert starts["a-vision"] & starts["a-audio"] == starts["a-vision"]
    assert starts["a-imu"] < starts["a-audio"]


def test_the_same_recording_gives_the_same_vectors_again(tiny_model: Path) -> None:
    def once() -> dict[tuple[str, int], bytes]:
        return {
            (r.stream, r.seq): r.vector.tobytes()
            for r in Pipeline(config(tiny_model))
            if isinstance(r, Embedding)
        }

    assert once() == once()


def test_a_query_that_anything_answers_raises_alerts_that_start_and_end(tiny_model: Path) -> None:
    easy = config(tiny_model, on=0.01, off=0.001, cooldown_s=0)
    alerts = [r for r in Pipeline(easy) if isinstance(r, Alert)]
    assert {a.state for a in alerts} == {"started", "ended"}
    begun = [a.id for a in alerts if a.state == "started"]
    assert sorted(begun) == sorted(a.id for a in alerts if a.state == "ended")
    assert len(set(begun)) == len(begun)
    assert all("closed" in a.stages and "alerted" in a.stages for a in alerts)


def test_words_the_model_has_never_seen_are_named(tiny_model: Path) -> None:
    strange = config(tiny_model, negatives=["a zebra"])
    assert "'zebra'" in Pipeline(strange).warnings[0]


def test_a_model_that_is_not_there_or_a_config_that_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        Pipeline(config(tmp_path / "no-such-model"))
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        Pipeline(tmp_path / "nothing.yaml")


def test_a_sensor_that_is_not_there_is_said(tiny_model: Path, tmp_path: Path) -> None:
    door = {"name": "door", "source": {"kind": "imu", "file": str(tmp_path / "gone.csv")}}
    lone = Config.model_validate({"streams": [door], "model": {"name": str(tiny_model)}})
    pipeline = Pipeline(lone)
    assert pipeline.warnings == []
    assert list(pipeline) == []
    assert [w for w in pipeline.warnings if "door: failed" in w and "gone.csv" in w]


def test_a_frozen_sensor_is_said(tiny_model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "grey").save(tmp_path / "0.png")
    still = {"kind": "camera", "folder": str(tmp_path), "fps": 10, "loop": True, "speed": 10}
    hall = {"name": "hall", "source": still, "hop_s": 0.1}
    lone = Config.model_validate({"streams": [hall], "model": {"name": str(tiny_model)}})
    pipeline = Pipeline(lone)
    for record in pipeline:
        if isinstance(record, Embedding) and record.seq == 35:
            break
    assert [w for w in pipeline.warnings if w.startswith("hall: ") and "frozen" in w]


def gated(model: Path, folder: Path, gate: object) -> Config:
    """A camera before which something changes once; the wall's own noise is no change."""
    for i in range(60):
        picture = np.random.default_rng(i).normal(100, 4, (48, 64, 3))
        picture[10:30, 20:40] += 80 * (i >= 40)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02d}.png")
    hall = {"kind": "camera", "folder": str(folder), "fps": 2, "speed": "max"}
    return Config.model_validate(
        {
            "streams": [{"name": "hall", "source": hall, "gate": gate}],
            "model": {"name": str(model), "threads": 1},
        }
    )


def test_a_gate_reuses_vectors_while_nothing_changes_and_says_what_it_saved(
    tiny_model: Path, tmp_path: Path
) -> None:
    runs = [Pipeline(gated(tiny_model, tmp_path, gate)) for gate in (False, True)]
    off, on = ([r for r in run if isinstance(r, Embedding)] for run in runs)
    assert [r.seq for r in on] == [r.seq for r in off]
    assert {r.same_as for r in off} == {None}
    computed = {r.seq: r.vector for r in on if r.same_as is None}
    for record, ungated in zip(on, off, strict=True):
        if record.same_as is None:
            np.testing.assert_allclose(record.vector, ungated.vector, atol=1e-6)
        else:
            np.testing.assert_array_equal(record.vector, computed[record.same_as])
            assert record.start_ns - on[0].start_ns == ungated.start_ns - off[0].start_ns
    # The twelve first ones, those that saw the change come, and the first after it.
    assert WARM_UP < len(computed) < WARM_UP + 5
    said = runs[1].health()["hall"].accounts
    assert (said.embedded, said.reused, said.pending) == (
        len(computed),
        len(on) - len(computed),
        0,
    )
    assert runs[1].tower_s()["hall"] > 0


def test_where_the_vector_to_be_reused_does_not_exist_the_window_is_embedded(
    tiny_model: Path, tmp_path: Path
) -> None:
    pipeline = Pipeline(gated(tiny_model, tmp_path, True))
    records = []
    for record in pipeline:
        assert isinstance(record, Embedding)
        records.append(record)
        if record.seq == 13:  # as if another process had begun
            pipeline._embedder = Embedder(pipeline.model, pipeline.clock)
    assert [r.seq for r in records] == list(range(len(records)))
    assert records[13].same_as == WARM_UP - 1
    # Those that were marked already are embedded after all, and later ones refer to them.
    assert records[14].same_as is None
    after = [r.same_as for r in records[14:19]]
    assert after[-1] is not None
    assert after[-1] >= 14
    said = pipeline.health()["hall"].accounts
    assert (said.captured, said.pending, sum(said.dropped.values())) == (len(records), 0, 0)


def test_a_taught_query_finds_new_recordings_of_what_it_was_taught(tmp_path: Path) -> None:
    names = {"beep": recordings.beeps, "hum": recordings.hum, "room": recordings.noise}
    files = {
        name: [recordings.write(tmp_path / f"{name}{i}.wav", sound(i)) for i in range(3)]
        for name, sound in names.items()
    }
    model = load_model("starter", modalities=["audio"], device="cpu", threads=1)
    lesson = Lesson("washer-beep", "audio", files["beep"], [*files["hum"], *files["room"]])
    save_taught(learn(model, lesson, tmp_path).taught, tmp_path / "washer-beep.json")
    day = [recordings.noise(seed, 50.0, 0.003) for seed in (9, 10)]
    for wave, sound in zip(day, (recordings.beeps(7, 6.0), recordings.hum(7, 6.0)), strict=True):
        wave[30 * 16000 : 36 * 16000] += sound
    for name, wave in zip(("kitchen", "cellar"), day, strict=True):
        recordings.write(tmp_path / f"{name}.wav", wave)
    (tmp_path / "config.yaml").write_text(
        "streams:\n"
        "  - {name: kitchen, source: {kind: microphone, file: kitchen.wav, speed: max}}\n"
        "  - {name: cellar, source: {kind: microphone, file: cellar.wav, speed: max}}\n"
        "model: {device: cpu, threads: 1}\n"
        "queries:\n  - {taught: washer-beep.json, text: the washer is done}\n"
    )
    pipeline = Pipeline(tmp_path / "config.yaml")
    assert "text" not in pipeline.model.modalities
    records = list(pipeline)
    alerts = [r for r in records if isinstance(r, Alert)]
    began = min(r.start_ns for r in records if isinstance(r, Embedding) and r.stream == "kitchen")
    assert [(a.stream, a.state) for a in alerts] == [("kitchen", "started"), ("kitchen", "ended")]
    assert 28 <= (alerts[0].start_ns - began) / 1e9 <= 31
    assert 35 <= (alerts[1].end_ns - began) / 1e9 <= 39
    assert (alerts[0].query, alerts[0].text) == ("the-washer-is-done", "the washer is done")
    assert alerts[0].modality == "audio"


def test_a_sum_of_sounds_finds_what_is_added_and_not_what_is_taken_off(tmp_path: Path) -> None:
    recordings.write(tmp_path / "beep.wav", recordings.beeps(0))
    recordings.write(tmp_path / "hum.wav", recordings.hum(0))
    day = recordings.noise(9, 60.0, 0.003)
    day[25 * 16000 : 31 * 16000] += recordings.beeps(7, 6.0)
    day[45 * 16000 : 51 * 16000] += recordings.hum(7, 6.0)
    recordings.write(tmp_path / "kitchen.wav", day)
    (tmp_path / "config.yaml").write_text(
        "streams:\n"
        "  - {name: kitchen, source: {kind: microphone, file: kitchen.wav, speed: max}}\n"
        "  - {name: wrist, modality: imu, source: {kind: scene, length_s: 30, speed: max}}\n"
        "model: {device: cpu, threads: 1}\n"
        "queries:\n"
        "  - {id: beep, text: beeping, plus: beep.wav, minus: 0.5*hum.wav}\n"
        "  - {id: beep-2, like: beep.wav, minus: 0.5*a zeppelin}\n"
    )
    pipeline = Pipeline(tmp_path / "config.yaml")
    assert any("never seen" in warning and "zeppelin" in warning for warning in pipeline.warnings)
    records = list(pipeline)
    alerts = [r for r in records if isinstance(r, Alert)]
    began = min(r.start_ns for r in records if isinstance(r, Embedding) and r.stream == "kitchen")
    for query, text in (("beep", "beeping"), ("beep-2", "beep")):
        mine = [a for a in alerts if a.query == query]
        assert [(a.stream, a.state, a.text) for a in mine] == [
            ("kitchen", "started", text),
            ("kitchen", "ended", text),
        ]
        assert 23 <= (mine[0].start_ns - began) / 1e9 <= 27


def test_words_and_examples_may_be_watched_for_side_by_side(
    tiny_model: Path, tmp_path: Path
) -> None:
    model = load_model(tiny_model, modalities=["audio"], device="cpu", threads=1)
    file = recordings.write(tmp_path / "a.wav", recordings.beeps(0))
    save_taught(learn(model, Lesson("beep", "audio", [file]), tmp_path).taught, tmp_path / "b.json")
    easy = {"on": 1e-4, "off": 1e-5}  # untrained towers hardly tell one sound from another
    both = config(tiny_model, **easy).model_dump()
    queries = [*both["queries"], {"taught": str(tmp_path / "b.json"), **easy}]
    pipeline = Pipeline(Config.model_validate({**both, "queries": queries}))
    assert not [warning for warning in pipeline.warnings if "never seen" in warning]
    heard = {(a.query, a.modality) for a in pipeline if isinstance(a, Alert)}
    assert ("b", "audio") in heard
    assert {modality for query, modality in heard if query == "b"} == {"audio"}
    assert {modality for query, modality in heard if query == "a-dog-barking"} > {"vision"}


def test_a_query_taught_by_another_model_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    model = load_model("starter", modalities=["audio"], device="cpu", threads=1)
    file = recordings.write(tmp_path / "a.wav", recordings.beeps(0))
    save_taught(learn(model, Lesson("beep", "audio", [file]), tmp_path).taught, tmp_path / "b.json")
    foreign = Config.model_validate(
        {**config(tiny_model).model_dump(), "queries": [{"taught": str(tmp_path / "b.json")}]}
    )
    with pytest.raises(ModelError, match=r"is of the model starter.*teach --again .*b\.json"):
        Pipeline(foreign)


def test_a_history_that_cannot_be_written_stops_no_pipeline(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    scene = {"kind": "scene", "seed": 5, "length_s": 30, "speed": "max", "events": []}
    pipeline = Pipeline(
        Config.model_validate(
            {
                "streams": [{"name": "mic", "modality": "audio", "source": scene}],
                "model": {"name": str(tiny_model), "threads": 1},
                "queries": [{"text": "a dog barking", "on": 0.01, "off": 0.001}],
                "history": {"path": str(tmp_path / "file" / "history")},
            }
        )
    )
    records = list(pipeline)
    assert sum(isinstance(r, Embedding) for r in records) >= 25
    assert any(isinstance(r, Alert) for r in records)
    assert any("history: " in warning for warning in pipeline.warnings)
