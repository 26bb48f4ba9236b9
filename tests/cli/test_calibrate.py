"""bindstream calibrate: levels from recordings and what was kept, and a run that knows them."""

from __future__ import annotations

import io
import json
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bindstream.backtest import backtest
from bindstream.cli import main
from bindstream.config import QueryConfig
from bindstream.history import History
from bindstream.history.computed import computed
from bindstream.matcher import Query
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.queries import encode_query
from bindstream.recalling import recall
from bindstream.watch import Watch
from tests.cli.conftest import Command
from tests.history.windows import window, writer
from tests.teaching import recordings

pytest.importorskip("lancedb")
CPU = ("--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of a room in which something beeps once, and two more minutes of it."""
    folder = tmp_path_factory.mktemp("night")
    wave = recordings.noise(9, 300.0, 0.003)
    wave[100 * 16000 : 104 * 16000] += recordings.beeps(7, 4.0)
    recordings.write(folder / "a.wav", wave)
    recordings.write(folder / "b.wav", recordings.noise(3, 130.0, 0.003))
    recordings.write(folder / "short.wav", recordings.noise(4, 20.0, 0.003))
    (folder / "bad.wav").write_bytes(b"RIFF")
    return folder


def configured(folder: Path, history: bool = True) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        "streams:\n"
        "  - {name: kitchen, source: {kind: microphone, device: USB}}\n"
        "  - {name: wrist, source: {kind: imu, port: /dev/ttyUSB0}}\n"
        "model: {device: cpu, threads: 1}\n"
        "queries:\n"
        "  - {text: beeping, modalities: audio, budget: 50}\n"
        "  - {id: quiet, text: glass breaking}\n" + ("history: {}\n" if history else "")
    )
    return path


@dataclass(frozen=True)
class Calibrated:
    """A configuration whose kitchen was calibrated by both recordings, and what was said of it."""

    config: Path
    begun_ns: int
    said: dict[str, Any]

    @property
    def history(self) -> Path:
        return self.config.parent / "history"


@pytest.fixture(scope="module")
def home(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Calibrated:
    config, begun_ns = configured(tmp_path_factory.mktemp("home")), time.time_ns()
    files = (f"--recording=kitchen={night}/{name}.wav" for name in "ab")
    said = io.StringIO()
    with pytest.raises(SystemExit) as ended, redirect_stdout(said):
        main(["calibrate", str(config), *files, "--json", *map(str, CPU)])
    assert not ended.value.code
    return Calibrated(config, begun_ns, json.loads(said.getvalue()))


@pytest.fixture(scope="module")
def words() -> Model:
    return load_model("starter", modalities=["text"], device="cpu", threads=1)


def beeping(model: Model) -> Query:
    query = QueryConfig.model_validate({"text": "beeping", "modalities": "audio", "budget": 50})
    return encode_query(query, model.encode_text, model.fingerprint)


def test_recordings_end_just_now_and_give_levels(home: Calibrated, night: Path) -> None:
    first, second = home.said["recordings"]
    assert (first["windows"], second["windows"]) == (299, 129)
    assert first["kept"]["end_ns"] <= second["kept"]["start_ns"]
    assert abs(second["kept"]["end_ns"] - home.begun_ns) < 120 * 10**9
    levels = {(one["query"], one["stream"]): one for one in home.said["levels"]}
    assert set(levels) == {("beeping", "kitchen"), ("quiet", "kitchen"), ("quiet", "wrist")}
    found = levels["beeping", "kitchen"]
    assert (found["promise"]["kept"], found["left_out"]) == (True, 1)
    assert found["taken_for_true"][0]["at_s"] == pytest.approx(100, abs=3)
    assert found["taken_for_true"][0]["file"] == str(night / "a.wav")
    assert levels["quiet", "kitchen"]["promise"]["missing_hours"] > 5
    assert (levels["quiet", "wrist"]["cut"], levels["quiet", "wrist"]["hours"]) == (None, 0)


def test_a_run_knows_at_once_what_was_played(home: Calibrated, words: Model) -> None:
    phrases = words.encode_text(words.background("audio"))
    watch, now_ns = Watch({"audio": phrases}), time.time_ns() // 10**9 * 10**9 + 10**9
    recall(watch, home.history, words.fingerprint, now_ns)
    watch.put(beeping(words))
    over = {"modality": "audio", "model": words.fingerprint, "vector": phrases[0]}
    watch.push(window("kitchen", 0, **over, start_ns=now_ns, end_ns=now_ns + 2 * 10**9))
    ((_, stream, level),) = watch.levels()
    assert stream == "kitchen"
    assert "at most 50 an hour with 95 % confidence" in level.promise
    assert level.share == 0  # it is drawn from the background, and no more that of the beginning


def test_the_history_alone_gives_the_levels_of_a_backtest(
    bindstream: Command, home: Calibrated, night: Path, words: Model
) -> None:
    given = ("--query", "beeping", "--budget", "50", "--json")
    said = json.loads(bindstream("calibrate", home.config, *given, *CPU).out)
    kitchen = next(one for one in said["levels"] if one["stream"] == "kitchen")
    phrases = words.encode_text(words.background("audio"))
    heard = computed(History(home.history), words.fingerprint, "kitchen")
    tried = backtest(beeping(words), phrases, "kitchen", heard)
    assert kitchen["cut"] == pytest.approx(tried.promise.cut)
    shown = bindstream("calibrate", home.config, *CPU)
    assert "1 peak was taken for true" in shown.out
    assert "kitchen/" in shown.out
    again = bindstream("calibrate", home.config, "--recording", f"kitchen={night}/a.wav", *CPU)
    assert again.code == 2
    assert "was played into kitchen already" in again.err


def test_without_a_history_it_only_prints(bindstream: Command, night: Path, tmp_path: Path) -> None:
    config = configured(tmp_path, history=False)
    shown = bindstream("calibrate", config, "--recording", f"kitchen={night}/b.wav", *CPU)
    assert shown.code == 0, shown.err
    assert "kitchen" in shown.out
    assert "129 windows" in shown.out
    assert "nothing was kept" in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    bare = bindstream("calibrate", config)
    assert (bare.code, "Give --recording" in bare.err) == (2, True)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--recording", "hall=a.wav"), "no stream is named 'hall'. There are: kitchen, wrist"),
        (("--recording", "kitchen"), "is not STREAM=FILE"),
        (("--recording", "kitchen=gone.wav"), "there is no file 'gone.wav'"),
        (("--recording", "kitchen=short.wav"), "too short: 19 windows of 120"),
        (("--recording", "kitchen=bad.wav"), "bad.wav: it cannot be played into kitchen (audio)"),
        (("--recording", "wrist=short.wav"), "short.wav: it cannot be played into wrist (imu)"),
        (("--recording", "kitchen=b.wav", "--recording", "kitchen=b.wav"), "no more"),
        (("--budget", "1/day"), "--budget is for --query"),
        (("--query", "beeping", "--budget", "often"), "no number of false alarms"),
        ((), "there is no history"),
    ],
)
def test_what_cannot_be_calibrated_is_said_and_nothing_is_kept(
    bindstream: Command,
    night: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.chdir(night)
    refused = bindstream("calibrate", configured(tmp_path), *more, *CPU)
    assert refused.code != 0
    assert why in " ".join(refused.err.split())
    assert not (tmp_path / "history").exists()


def test_a_history_that_a_run_writes_is_refused_before_anything_is_played(
    bindstream: Command, night: Path, tmp_path: Path
) -> None:
    config, writing = configured(tmp_path), writer(tmp_path / "history")
    refused = bindstream("calibrate", config, "--recording", f"kitchen={night}/a.wav", *CPU)
    assert "Stop that one" in refused.err
    writing.close(time.time_ns())
