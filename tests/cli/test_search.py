"""Searching what a real pipeline of the starter model kept."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream import Embedding, Pipeline
from bindstream.cli.search import when
from bindstream.errors import ConfigError
from tests.cli.conftest import Command
from tests.history.windows import NOON_NS, kept, unit, window, written
from tests.teaching import recordings

pytest.importorskip("lancedb")
BEEP_S = 30
"""When the beeps begin in the kitchen, after its first window."""


class Home:
    """A kitchen in which something beeps, a cellar in which nothing does, and what was kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        day = [recordings.noise(seed, 45.0, 0.003) for seed in (9, 10)]
        day[0][BEEP_S * 16000 : (BEEP_S + 5) * 16000] += recordings.beeps(7, 5.0)
        for name, wave in zip(("kitchen", "cellar"), day, strict=True):
            recordings.write(folder / f"{name}.wav", wave)
        self.example = recordings.write(folder / "beep.wav", recordings.beeps(0))
        self.config = folder / "config.yaml"
        self.config.write_text(
            "streams:\n"
            "  - {name: kitchen, source: {kind: microphone, file: kitchen.wav, speed: max}}\n"
            "  - {name: cellar, source: {kind: microphone, file: cellar.wav, speed: max}}\n"
            "model: {device: cpu, threads: 1}\n"
            "history: {}\n"
        )
        self.records = [r for r in Pipeline(self.config) if isinstance(r, Embedding)]
        self.begun_ns = min(r.start_ns for r in self.records if r.stream == "kitchen")

    def beeps_at(self, hit: dict[str, Any]) -> bool:
        after_s = (hit["peak_start_ns"] - self.begun_ns) / 1e9
        return bool(hit["stream"] == "kitchen" and BEEP_S - 2 <= after_s <= BEEP_S + 5)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A small one of another model."""
    written(tmp_path / "history", [window(seq=i) for i in range(40)])
    return tmp_path / "history"


def test_the_pipeline_keeps_every_vector_it_publishes(home: Home) -> None:
    model = home.records[0].model
    there = {(e.stream, e.seq): e for e in kept(home.folder / "history", model)}
    assert len(there) == len(home.records)
    for record in home.records:
        back = there[record.stream, record.seq]
        assert (back.start_ns, back.end_ns, back.clock) == (
            record.start_ns,
            record.end_ns,
            record.clock,
        )
        np.testing.assert_allclose(back.vector, record.vector, atol=1e-3)


def test_words_find_what_happened(bindstream: Command, home: Home) -> None:
    asked = bindstream(
        *("search", "beeping", "a smoke detector beeping", "-c", home.config, "--json"),
        *("--threads", 1, "--device", "cpu"),
    )
    assert asked.code == 0, asked.err
    said = json.loads(asked.out)
    assert said["searched"] == {
        name: sum(r.stream == name for r in home.records) for name in ("kitchen", "cellar")
    }
    first = said["hits"][0]
    assert home.beeps_at(first)
    assert first["z"] > 3
    assert first["start"].endswith("Z")
    assert first["id"] == f"kitchen/{first['peak_start_ns']}"
    assert first["peak"]["coverage"] == 1
    assert said["of_other_models"] == {}


def test_an_example_finds_what_sounds_like_it_and_the_table_says_where(
    bindstream: Command, home: Home
) -> None:
    asked = bindstream("search", "--like", home.example, "-c", home.config, "--device", "cpu")
    assert asked.code == 0, asked.err
    first = next(line for line in asked.out.splitlines() if "kitchen/" in line)
    start_ns = int(re.findall(r"kitchen/(\d+)", first)[0])
    assert home.beeps_at({"stream": "kitchen", "peak_start_ns": start_ns})
    (shown,) = re.findall(r"(\d\d:\d\d:\d\d)Z", first)  # when the event began, its peak is later
    began = datetime.fromtimestamp(start_ns / 1e9 - 10, timezone.utc)
    assert shown in {f"{began + timedelta(seconds=s):%H:%M:%S}" for s in range(13)}
    assert re.search(r"windows of 2 streams searched", asked.out)


def test_a_window_or_an_alert_finds_what_is_like_it_without_a_model(
    bindstream: Command, home: Home
) -> None:
    beep = min(
        (r for r in home.records if r.stream == "kitchen"),
        key=lambda r: abs(r.start_ns - home.begun_ns - (BEEP_S + 1) * 10**9),
    )
    for name in (f"kitchen/{beep.start_ns}", f"washer/kitchen/{beep.start_ns}"):
        asked = bindstream("similar", name, "--history", home.folder / "history", "--json")
        said = json.loads(asked.out)
        first = said["hits"][0]
        assert home.beeps_at(first)
        # What it was asked about is no answer.
        assert not any(
            hit["stream"] == "kitchen"
            and hit["peak_start_ns"] < beep.end_ns
            and beep.start_ns < hit["peak_end_ns"]
            for hit in said["hits"]
        )
    elsewhere = bindstream(
        *("search", "--like", f"kitchen/{beep.start_ns}", "-c", home.config, "--json"),
        *("--stream", "cellar", "--top", 2),
    )
    assert {hit["stream"] for hit in json.loads(elsewhere.out)["hits"]} <= {"cellar"}


def test_sums_are_searched_for(bindstream: Command, home: Home) -> None:
    given = ("-c", home.config, "--json", "--device", "cpu", "--top", 1)
    plain = json.loads(bindstream("search", "beeping", *given).out)
    with_example = json.loads(
        bindstream("search", "beeping", "--plus", f"2*{home.example}", *given).out
    )
    without = json.loads(bindstream("search", "beeping", "--minus", "2*beeping", *given).out)
    assert home.beeps_at(with_example["hits"][0])
    assert with_example["hits"][0]["score"] > plain["hits"][0]["score"]
    assert not home.beeps_at(without["hits"][0])


def test_vectors_of_other_models_are_counted_and_left_out(
    bindstream: Command, history: Path
) -> None:
    asked = bindstream("search", "rain", "--history", history, "--since", "2020-01-01", "--json")
    assert asked.code == 0
    said = json.loads(asked.out)
    assert (said["hits"], said["of_other_models"]) == ([], {"0123456789ab": 40})
    assert "--model DIR" in asked.err
    assert "there are no vectors of this model" in asked.err


def test_a_stored_window_brings_its_own_model(bindstream: Command, history: Path) -> None:
    asked = bindstream(
        *("similar", f"door/{NOON_NS}", "--seconds", 5, "--history", history),
        *("--since", "2024-10-04", "--until", "2024-10-06"),
    )
    assert asked.code == 0, asked.err
    assert "40 windows of 1 streams searched" in asked.out


def test_nothing_that_stands_out_is_said(bindstream: Command, tmp_path: Path) -> None:
    written(tmp_path / "history", [window(seq=i, vector=unit(1)) for i in range(40)])
    asked = bindstream(
        *("similar", f"door/{NOON_NS}", "--history", tmp_path / "history", "--since", "2024-01-01")
    )
    assert (asked.code, asked.out.startswith("Nothing stands out.")) == (0, True)


def test_streams_of_which_nothing_is_kept_are_named_with_those_there_are(
    bindstream: Command, tmp_path: Path
) -> None:
    written(tmp_path / "history", [window(seq=i, vector=unit(1)) for i in range(40)])
    asked = bindstream(
        *("similar", f"door/{NOON_NS}", "--history", tmp_path / "history"),
        *("--since", "2024-01-01", "--stream", "dor", "--json"),
    )
    assert json.loads(asked.out)["hits"] == []
    assert "nothing is kept of a stream 'dor'; there are: door" in " ".join(asked.err.split())


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ((), 2, "there is nothing to search for"),
        (("--minus", "rain"), 2, "there is nothing to search for"),
        (("rain", "--history", "gone"), 1, "there is no history"),
        (("rain", "--since", "yesterday"), 2, "'yesterday' is no time"),
        (("rain", "--since", "1h", "--until", "2h"), 2, "is not before"),
        (("--like", "gone.wav"), 2, "there is no file 'gone.wav'"),
        (("rain", "--modality", "smell"), 2, "'smell' is no modality"),
    ],
)
def test_what_cannot_be_searched_for_is_said(
    bindstream: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: Any,
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = bindstream("search", *args)
    assert asked.code == code
    assert said in asked.err


def test_a_configuration_without_a_history_says_how_to_have_one(
    bindstream: Command, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("streams:\n  - {name: heat, source: {kind: thermal, device: 1}}\n")
    asked = bindstream("search", "rain", "-c", path)
    assert asked.code == 2
    assert "history: {}" in asked.err


def test_an_id_that_is_none_and_one_that_is_not_kept(bindstream: Command, history: Path) -> None:
    assert bindstream("similar", "door", "--history", history).code == 2
    gone = bindstream("similar", "door/1111111111111111111", "--history", history)
    assert gone.code == 1
    assert "no window of 'door'" in gone.err


def test_times_are_ago_or_dates() -> None:
    now_ns = 1_800_000_000 * 10**9
    assert when("90s", now_ns, "") == now_ns - 90 * 10**9
    assert when("1.5h", now_ns, "") == now_ns - 5400 * 10**9
    assert when("2w", now_ns, "") == now_ns - 14 * 86400 * 10**9
    assert when("2026-11-21T14:00:00Z", now_ns, "") == 1795269600 * 10**9
    assert when("2026-11-21T14:00:00+02:00", now_ns, "") == 1795262400 * 10**9
    local = datetime(2026, 11, 21, 14).astimezone().timestamp()
    assert when("2026-11-21 14:00", now_ns, "") == round(local) * 10**9
    for wrong in ("", "h", "-1h", "1 hour", "2026-13-01"):
        with pytest.raises(ConfigError, match="is no time"):
            when(wrong, now_ns, "--since")
