"""bindstream explain: an alert from its evidence, a stream from what a watch says of it."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from bindstream.cli import explain
from bindstream.cli.explain_report import alert_picture, bar, bar_with_cut, now_picture, sparkline
from bindstream.control import ControlServer, Request
from bindstream.errors import ConfigError
from bindstream.evidence import folder_of
from bindstream.evidence.saving import Told, save
from bindstream.records import Alert, Part
from bindstream.state import KeptAlert, State
from tests.cli.conftest import Command
from tests.evidence.readings import BEGIN_NS, S, alert
from tests.test_explaining import barked, dog, watching
from tests.test_watch import window

DOG = alert(
    "audio",
    0,
    6,
    "ended",
    text="a dog",
    nearest=(("a wolf", 0.21), ("rain [bold]", 0.1)),
    shows=(("a dog", 0.61), ("a wolf", 0.3)),
    scores=(4.0, 9.0, math.nan, 2.5),
    promise="at most 0.2 an hour",
)


NOT_RUNNING = """
streams:
  - {name: s1, modality: audio, source: {kind: scene, length_s: 5}}
bus: {control: "tcp://127.0.0.1:1"}
"""


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    for at_s, query in ((0, "dog"), (60, "cat")):
        start_ns = BEGIN_NS + at_s * S
        one = dataclasses.replace(
            DOG, id=f"{query}/s1/{start_ns}", query=query, start_ns=start_ns, end_ns=start_ns + S
        )
        told = Told(one, start_ns - S, start_ns + 2 * S, 1.0, (), "late")
        save(tmp_path, folder_of(tmp_path, query, "s1", start_ns), told, {"sound.wav": b""})
    return tmp_path


def test_an_alert_is_explained_by_its_evidence(bindstream: Command, kept: Path) -> None:
    said = bindstream("explain", f"dog/s1/{BEGIN_NS}", "--evidence", kept)
    assert (said.code, said.err) == (0, "")
    for part in (
        "▄█ ▃",
        "starts at 3.5, ends below 2.0",
        "a dog 61%, a wolf 30%",
        "a wolf (0.210), rain [bold] (0.100); the query itself 0.300",
        "at most 0.2 an hour",
        "note      late",
        f"{folder_of(kept, 'dog', 's1', BEGIN_NS)}/sound.wav",
    ):
        assert part in said.out
    assert bindstream("explain", "last", "--evidence", kept).out.count("cat/s1/") == 1


def test_an_alert_is_json_for_scripts(bindstream: Command, kept: Path) -> None:
    said = json.loads(bindstream("explain", "dog/", "--evidence", kept, "--json").out)
    assert said["alert"]["scores"] == [4.0, 9.0, None, 2.5]
    assert said["folder"] == str(folder_of(kept, "dog", "s1", BEGIN_NS))
    assert said["files"][-1].endswith("sound.wav")


def test_the_folder_is_that_of_the_configuration(bindstream: Command, kept: Path) -> None:
    config = kept / "c.yaml"
    config.write_text(NOT_RUNNING + "evidence: {path: .}\n")
    assert "cat/s1/" in bindstream("explain", "last", "-c", config).out


def test_an_alert_that_the_state_holds_needs_no_evidence(
    bindstream: Command, tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(NOT_RUNNING + "state: {}\n")
    known = dataclasses.replace(DOG, scores=(4.0, 9.0), evidence=str(tmp_path / "gone"))
    state = State(tmp_path / "state.db")
    state.keep_alerts([KeptAlert(known)])
    state.judge("last", "rejected", "it was the television", 1)
    state.close()
    shown = bindstream("explain", DOG.id, "-c", config)
    assert (shown.code, shown.err) == (0, "")
    assert "judged    rejected it was the television" in shown.out
    assert "no evidence of it is kept" in shown.out
    said = json.loads(bindstream("explain", "last", "-c", config, "--json").out)
    assert (said["alert"]["id"], said["folder"], said["files"]) == (DOG.id, None, [])
    told = Told(known, 1, 2, 1.0, ())
    save(tmp_path, tmp_path / "gone", told, {"sound.wav": b""})
    assert "gone/sound.wav" in bindstream("explain", "last", "-c", config).out
    missing = bindstream("explain", "cat/", "-c", config, "--evidence", tmp_path / "none")
    assert missing.code == 1
    assert "no alerts kept there are named 'cat/'" in missing.err


def test_what_is_not_kept_is_said_with_what_is(bindstream: Command, kept: Path) -> None:
    gone = bindstream("explain", "bird/s1/1", "--evidence", kept)
    assert gone.code == 1
    assert "no alerts kept there are named 'bird/s1/1'" in gone.err
    assert f"cat/s1/{BEGIN_NS + 60 * S}" in gone.err


@pytest.fixture
def control() -> Iterator[str]:
    """The control of a watch of one stream on which a dog barks now."""
    watch, explainer = watching(dog(), dog(id="quiet", text="quiet", on=90, off=80))
    alerts = barked(watch)
    newest = dataclasses.replace(window(60, 3.0), readings={"max_c": 81.5})
    scores, more = watch.push(newest)

    def answer(request: Request) -> Request:
        assert request["op"] == "explain"
        if request["stream"] == "new":
            return {}
        if request["stream"] != "mic":
            raise ConfigError("there is no stream 'attic'.", fix="There are: mic.")
        return asdict(explainer.now(newest, scores, [*alerts, *more]))

    server = ControlServer("tcp://127.0.0.1:0", answer)
    yield server.address
    server.close()


def test_a_stream_is_explained_now(bindstream: Command, control: str) -> None:
    said = bindstream("explain", "mic", "--once", "--address", control)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert "mic (audio)" in lines[0]
    assert "max 81.5 °C" in lines[0]
    for name in ("a dog", "an empty room", "quiet"):
        assert any(name in line for line in lines)
    standing = next(line for line in lines if line.strip().startswith("dog "))
    assert "█" in standing
    assert "┃" in standing
    assert any("ended after" in line for line in lines)


def test_a_stream_is_json_for_scripts(bindstream: Command, control: str) -> None:
    said = json.loads(bindstream("explain", "mic", "--once", "--json", "--address", control).out)
    assert said["shows"][0]["text"] in ("a dog", "quiet")
    assert {query["query"] for query in said["queries"]} == {"dog", "quiet"}
    assert said["readings"] == {"max_c": 81.5}
    assert said["alerts"][0]["state"] == "started"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_stream_is_followed_until_the_run_says_no(
    bindstream: Command, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr("bindstream.cli.explain.AGAIN_S", 0.01)
    if not options:
        monkeypatch.setenv("FORCE_COLOR", "1")  # which makes a terminal of any output
    watch, explainer = watching(dog())
    asked = 0

    def answer(request: Request) -> Request:
        nonlocal asked
        asked += 1
        if asked > 5:
            raise ConfigError("the run is over.")
        newest = window(asked // 2)  # each is asked for twice, as windows come slower
        return asdict(explainer.now(newest, watch.push(newest)[0], []))

    server = ControlServer("tcp://127.0.0.1:0", answer)
    said = bindstream("explain", "mic", "--address", server.address, *options)
    server.close()
    assert (said.code, said.err) == (1, "the run is over.\n")
    if options:
        starts = [json.loads(line)["start_ns"] for line in said.out.splitlines()]
        assert starts == [0, S, 2 * S]
    else:
        assert asked == 6
        assert " (audio)" in said.out


def test_a_stream_is_explained_once_where_no_terminal_is(bindstream: Command, control: str) -> None:
    said = bindstream("explain", "mic", "--address", control)
    assert (said.code, said.err) == (0, "")
    assert said.out.count(" observed") == 1
    assert "ended after" in said.out


@pytest.mark.parametrize("options", [(), ("--once",)])
def test_on_a_narrow_terminal_lines_wrap_between_words(
    bindstream: Command, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr("bindstream.cli.explain.AGAIN_S", 0.01)
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "60"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(explain.out, "_width", 60)  # it may have been made for another terminal
    watch, explainer = watching(dog())
    alerts = barked(watch)
    newest = window(60, 3.0)
    said = asdict(explainer.now(newest, watch.push(newest)[0], alerts))
    answers = iter((said, said))

    def answer(request: Request) -> Request:
        try:
            return next(answers)
        except StopIteration:
            raise ConfigError("the run is over.") from None

    server = ControlServer("tcp://127.0.0.1:0", answer)
    shown = bindstream("explain", "mic", "--address", server.address, *options)
    server.close()
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.out)
    assert re.search(r"ended after \d+ s", " ".join(plain.split()))
    assert max(len(line) for line in plain.splitlines()) <= 60


def test_a_stream_that_is_not_there_or_said_nothing_is_said(
    bindstream: Command, control: str
) -> None:
    unknown = bindstream("explain", "attic", "--once", "--address", control)
    assert unknown.code == 1
    assert "there is no stream 'attic'. There are: mic." in unknown.err
    assert "new: no window of it so far" in (
        bindstream("explain", "new", "--once", "--address", control).out
    )


def drawn(picture: object) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(picture)
    return out.getvalue()


def test_a_stream_that_is_being_learned_and_knows_no_words_is_shown() -> None:
    watch, explainer = watching(dog())
    scores, _ = watch.push(window(0))
    said = asdict(explainer.now(window(0), scores, []))
    assert "learning" in drawn(now_picture(said, 0))
    nothing = {**said, "shows": [], "queries": []}
    shown = drawn(now_picture(nothing, 0))
    assert "no words for it" in shown
    assert "no query watches it" in shown
    assert "no alerts" in shown


def test_an_alert_of_a_rule_names_its_parts_and_one_without_evidence_says_so() -> None:
    part = Part("glass", "mic", "audio", BEGIN_NS, BEGIN_NS + S, 4.5)
    rule: Alert = dataclasses.replace(DOG, measure="log_odds", parts=(part,), nearest=(), shows=())
    shown = drawn(alert_picture(rule, None))
    assert "glass on mic at" in shown
    assert "evidence 4.5" in shown
    assert "no evidence of it is kept" in shown


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, ""), (0.5, "█" * 12), (2.0, "█" * 24), (1 / 192, "▏")]
)
def test_bars_are_as_long_as_shares(share: float, said: str) -> None:
    assert bar(share) == said


def test_a_bar_reaches_its_cut_where_the_value_does() -> None:
    assert bar_with_cut(0, 3, 9) == "······┃··"
    assert bar_with_cut(2.9, 3, 9) == "██████┃··"
    assert bar_with_cut(100, 3, 9) == "██████┃█»"
    assert bar_with_cut(-5, 3, 9) == "······┃··"


def test_scores_from_the_cut_on_are_red() -> None:
    text = sparkline((1.0, 4.0, 8.0, math.inf), 4.0)
    assert text.plain == "▂▅█ "
    assert [text.plain[span.start] for span in text.spans if span.style == "red"] == ["▅", "█"]


def test_last_is_the_alert_that_confirm_takes_whatever_evidence_there_is(
    bindstream: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "evidence"
    older = Told(DOG, BEGIN_NS, BEGIN_NS + S, 1.0, (), "")
    save(root, folder_of(root, DOG.query, DOG.stream, DOG.start_ns), older, {"sound.wav": b""})
    newest = dataclasses.replace(DOG, id="owl/s2/9", query="owl", start_ns=BEGIN_NS + 900 * S)
    state = State(tmp_path / "state.db")
    state.keep_alerts([KeptAlert(DOG), KeptAlert(newest)])
    state.close()
    nobody = ("--address", "tcp://127.0.0.1:9")
    said = bindstream("explain", "last", "--json", *nobody)
    assert json.loads(said.out)["alert"]["id"] == "owl/s2/9"
    confirmed = bindstream("confirm", "last", "--json", "--state", tmp_path / "state.db")
    assert json.loads(confirmed.out)["id"] == "owl/s2/9"


def test_where_no_run_kept_anything_a_configuration_is_asked_for(
    bindstream: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = bindstream("explain", "last", "--address", "tcp://127.0.0.1:9")
    assert said.code != 0
    assert "(-c)" in said.err
