"""bindstream backtest: a query tried on what was kept, by its words alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bindstream import load_model
from bindstream.config.rule import CombinedRule
from bindstream.state import Kept, State
from tests.cli.conftest import Command, Outcome
from tests.history.windows import NOON_NS, SECOND_NS, window, written

pytest.importorskip("lancedb")
BARKS = (600, 2400)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of a kitchen in which a dog barks twice, and of a cellar in which none does."""
    model = load_model("starter", modalities=["text"])
    room, dog = model.encode_text(["room tone", "a dog barking"])
    rng = np.random.default_rng(0)
    windows = []
    for stream in ("kitchen", "cellar"):
        for i in range(3600):
            barks = stream == "kitchen" and any(at <= i < at + 4 for at in BARKS)
            vector = room + 0.04 * rng.standard_normal(len(room)) + 2.0 * barks * dog
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            over = {"modality": "audio", "model": model.fingerprint, "vector": vector}
            windows.append(window(stream, i, **over))
    folder = tmp_path_factory.mktemp("home")
    written(folder / "history", windows)
    return folder


def arguments(home: Path, *more: str) -> list[str]:
    return ["backtest", "a dog barking", "--history", str(home / "history"),
            "--since", "2020-01-01", "--threads", "1", *more]  # fmt: skip


def test_events_promises_and_near_misses_of_each_stream_are_told(
    home: Path, bindstream: Command
) -> None:
    said = json.loads(bindstream(*arguments(home, "--budget", "4", "--json")).out)
    assert said["budget_per_hour"] == 4
    streams = {one["stream"]: one for one in said["streams"]}
    assert list(streams) == ["cellar", "kitchen"]
    kitchen = streams["kitchen"]
    found = [(event["start_ns"] - NOON_NS) // SECOND_NS for event in kitchen["events"]]
    assert [at for at in found if any(abs(at - bark) <= 2 for bark in BARKS)] == list(BARKS)
    assert kitchen["hours"] == pytest.approx(1, rel=0.02)
    assert kitchen["promise"]["kept"]
    assert all(miss["z"] < kitchen["cut"] for miss in kitchen["near_misses"])
    assert kitchen["events"][0]["id"].startswith("kitchen/")
    assert len(streams["cellar"]["events"]) <= 8


def test_too_little_is_said_with_what_can_be_promised(home: Path, bindstream: Command) -> None:
    shown = bindstream(*arguments(home, "--budget", "1/day", "--stream", "cellar")).out
    words = " ".join(shown.split())
    assert "cellar" in words
    assert "kitchen" not in words
    assert "cannot promise below" in words


def test_an_example_is_tried_where_it_is_of_and_words_are_taken_off(
    home: Path, bindstream: Command
) -> None:
    bark = f"kitchen/{NOON_NS + (BARKS[0] + 1) * SECOND_NS}"
    given = ["backtest", "--like", bark, "--history", home / "history", "--since", "2020-01-01"]
    more = ["--minus", "0.5*rain", "--threads", 1, "--budget", 4, "--json"]
    said = json.loads(bindstream(*given, *more).out)
    kitchen = {one["stream"]: one for one in said["streams"]}["kitchen"]
    found = [(event["start_ns"] - NOON_NS) // SECOND_NS for event in kitchen["events"]]
    assert [at for at in found if any(abs(at - one) <= 2 for one in BARKS)] == list(BARKS)
    elsewhere = bindstream(*given, "-m", "vision")
    assert "that the query listens to" in " ".join(elsewhere.err.split())
    other = bindstream(*given, "--minus", "a zeppelin")
    assert "never seen 'zeppelin'" in other.err
    held = bindstream(*given, "--not", "rain")
    assert "cannot be held against a sum with examples" in " ".join(held.err.split())


def test_a_picture_is_drawn(home: Path, bindstream: Command, tmp_path: Path) -> None:
    bindstream(*arguments(home, "--out", str(tmp_path / "dog.png")))
    with Image.open(tmp_path / "dog.png") as picture:
        assert picture.width > 900
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--budget", "often"], "no number of false alarms"),
        (["--out", "dog.txt"], "is no picture"),
        (["--out", "/nowhere/dog.png"], "there is no folder /nowhere"),
        (["--stream", "attic"], "there are no windows of this model"),
        (["-m", "smell"], "no modality"),
        (["--plus", "gone.wav"], "there is no file 'gone.wav'"),
        (["--minus", "a dog barking"], "cancels out"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_way_out(
    home: Path, bindstream: Command, more: list[str], said: str
) -> None:
    answer = bindstream(*arguments(home, *more))
    assert answer.code != 0
    assert said in " ".join(answer.err.split())


def test_mere_absence_is_refused(home: Path, bindstream: Command) -> None:
    given = ["backtest", "no dog", "--history", str(home / "history")]
    assert "says what is not there" in " ".join(bindstream(*given).err.split())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of two hours in which a dog barks in the kitchen, and steps are seen in the
    hall: together twice, and each alone; rules in the file, and one given while it ran."""
    model = load_model("starter", modalities=["text"])
    room, dog, steps = model.encode_text(["room tone", "a dog barking", "a person walking"])
    rng = np.random.default_rng(1)
    windows = []
    for stream, modality, sign, at_s in (
        ("kitchen", "audio", dog, (600, 3000, 5400)),
        ("hall", "vision", steps, (602, 3003, 4500)),
    ):
        for i in range(7200):
            shows = any(at <= i < at + 3 for at in at_s)
            vector = room + 0.04 * rng.standard_normal(len(room)) + 2.0 * shows * sign
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            over = {"modality": modality, "model": model.fingerprint, "vector": vector}
            windows.append(window(stream, i, **over))
    folder = tmp_path_factory.mktemp("house")
    written(folder / "history", windows)
    path = folder / "house.yaml"
    path.write_text(
        "streams:\n"
        "  - {name: kitchen, source: {kind: microphone, device: 0}}\n"
        "  - {name: hall, source: {kind: camera, device: 0}}\n"
        "queries:\n"
        "  - {id: dog, text: a dog barking, modalities: audio, alert: false}\n"
        "  - {id: steps, text: a person walking, modalities: vision, alert: false}\n"
        "rules:\n"
        "  - {id: visit, all: [dog, steps], budget: 4}\n"
        "  - {id: dead, silent_s: 30}\n"
        f"history: {{path: {folder / 'history'}}}\n"
    )
    state = State(folder / "history" / "state.db")
    state.keep(Kept("either", CombinedRule(id="either", any=("dog", "steps"), budget=4)))
    state.close()
    return path


def of_rule(bindstream: Command, house: Path, rule: str, *more: object) -> Outcome:
    given = ["backtest", "--rule", rule, "-c", house, "--since", "2020-01-01", "--threads", 1]
    return bindstream(*given, *more)


def test_a_rule_is_tried_on_all_its_streams_together(bindstream: Command, house: Path) -> None:
    said = json.loads(of_rule(bindstream, house, "visit", "--json").out)
    assert (said["rule"], said["budget_per_hour"]) == ("visit", 4)
    (whole,) = said["streams"]
    events = {(each["start_ns"] - NOON_NS) // SECOND_NS: each for each in whole["events"]}
    together = [at for at in events if any(abs(at - both) < 12 for both in (602, 3003))]
    assert len(together) == 2
    event = events[max(together)]
    assert [part["query"] for part in event["parts"]] == ["dog", "steps"]
    assert event["parts"][0]["id"].startswith("kitchen/")
    assert event["log_odds"] == pytest.approx(sum(part["log_odds"] for part in event["parts"]))
    assert whole["hours"] == pytest.approx(2, rel=0.02)
    assert whole["promise"]["kept"]
    assert whole["events_per_hour"] <= 5


def test_a_rule_that_was_given_while_running_is_tried_too(
    bindstream: Command, house: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "either.png"
    shown = of_rule(bindstream, house, "either", "--budget", "3", "--out", picture)
    words = " ".join(shown.out.split())
    assert "either" in words
    assert "at most 3 an hour" in words
    assert "dog on kitchen" in words
    assert "steps on hall" in words
    with Image.open(picture) as drawn:
        assert drawn.width > 900


@pytest.mark.parametrize(
    ("rule", "more", "said"),
    [
        ("gone", [], "there is no rule 'gone'. Rules: visit, dead, either"),
        ("dead", [], "readings and silences are not kept"),
        ("visit", ["--budget", "often"], "no number of false alarms"),
        ("visit", ["--like", "a.wav"], "a rule says itself what it is made of"),
        ("visit", ["--since", "2037-01-01"], "dog, steps could be held against"),
    ],
)
def test_a_rule_that_cannot_be_tried_is_said(
    bindstream: Command, house: Path, rule: str, more: list[str], said: str
) -> None:
    answer = of_rule(bindstream, house, rule, *more)
    assert answer.code != 0
    assert said in " ".join(answer.err.split())


def test_a_rule_needs_its_configuration(bindstream: Command, house: Path) -> None:
    answer = bindstream("backtest", "--rule", "visit", "--history", house.parent / "history")
    assert "what the rule is made of is not known" in " ".join(answer.err.split())
