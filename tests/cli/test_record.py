"""bindstream record: sensors to disk with no model, and what can be done with a recording."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bindstream.accounts import Accounts
from bindstream.cli.record import sensors_picture
from bindstream.cli.record_files import summary_table
from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder, Recording
from bindstream.recording.sensors import SensorFigures
from bindstream.recording.summary import StreamSummary, Summary, summarise
from bindstream.records import Alert
from tests.cli.conftest import Command
from tests.recording.made import BEGIN_NS, STREAMS, S, assert_same, record, sample
from tests.replay.golden import RECORDINGS

SCENE = """
streams:
  - {name: kitchen, modality: audio, source: &scene {kind: scene, seed: 5, length_s: 4, speed: 8}}
  - {name: wrist, modality: imu, source: *scene}
  - {name: door, modality: vision, source: *scene}
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Four seconds of five streams; of the kitchen the third second is missing."""
    given = [
        sample(stream, n, gap="lost" if n == 30 else "")
        for n in range(40)
        for stream in STREAMS
        if not (stream == "kitchen" and 20 <= n < 30)
    ]
    return record(tmp_path / "run", given)


def test_sensors_are_recorded_alone_and_their_cost_is_told(
    tmp_path: Path, bindstream: Command
) -> None:
    (tmp_path / "home.yaml").write_text(SCENE)
    done = bindstream("record", tmp_path / "home.yaml", "--to", tmp_path / "to")
    assert done.code == 0, done.err
    [folder] = (tmp_path / "to").iterdir()
    assert str(folder) in done.out
    assert "of one core" in done.out
    with Recording(folder) as recording:
        assert recording.damage == ()
        assert {name: each.samples > 20 for name, each in recording.streams.items()} == {
            "kitchen": True,
            "wrist": True,
            "door": True,
        }
        assert recording.config is not None
        assert "kind: scene" in recording.config


def test_recording_sensors_loads_neither_torch_nor_ray(tmp_path: Path) -> None:
    (tmp_path / "home.yaml").write_text(SCENE)
    code = (
        "import sys\nfrom bindstream.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print([name for name in ('torch', 'ray') if name in sys.modules])"
    )
    args = ["record", str(tmp_path / "home.yaml"), "--to", str(tmp_path / "to"), "--seconds", "1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_ctrl_c_ends_it_with_every_file_closed(tmp_path: Path) -> None:
    endless = SCENE.replace("length_s: 4, speed: 8", "length_s: 600")
    (tmp_path / "home.yaml").write_text(endless)
    args = ["record", str(tmp_path / "home.yaml"), "--to", str(tmp_path / "to")]
    code = "import sys; from bindstream.cli import main; main(sys.argv[1:])"
    child = subprocess.Popen(
        [sys.executable, "-c", code, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until_s = time.monotonic() + 60
    while sum(path.stat().st_size for path in tmp_path.rglob("*.mcap")) < 20_000:
        assert child.poll() is None
        assert time.monotonic() < until_s
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 0, said
    [folder] = (tmp_path / "to").iterdir()
    with Recording(folder) as recording:
        assert recording.damage == ()
        assert recording.streams["kitchen"].samples > 0


WAITS = """
streams:
  - {name: cam, source: {kind: camera, device: /dev/video-none}}
"""


def test_why_a_stream_waits_is_said_once_while_it_records(
    tmp_path: Path, bindstream: Command
) -> None:
    (tmp_path / "home.yaml").write_text(WAITS)
    done = bindstream("record", tmp_path / "home.yaml", "--to", tmp_path / "to", "--seconds", 3)
    assert done.code == 1
    during, end = [line for line in done.err.splitlines() if line.startswith("! cam: ")]
    assert "video-none" in during
    assert "video-none" in end


def test_why_streams_wait_stands_whole_below_the_table() -> None:
    why = "stream 'cam': there is no camera at /dev/video9. There are: /dev/video0, /dev/video1"
    cam = SensorFigures("vision", "waiting", why, 0, 0, 0.0, 0, 0, 0, 0.0)
    mic = SensorFigures("audio", "live", "", 1, 30, 10.0, 9600, 0, 0, 0.01)
    console = Console(width=60)
    with console.capture() as capture:
        console.print(sensors_picture({"cam": cam, "mic": mic}))
    lines = capture.get().splitlines()
    below = next(i for i, line in enumerate(lines) if line.startswith("cam: "))
    assert below > next(i for i, line in enumerate(lines) if " live " in line)
    said = " ".join(" ".join(lines[below:]).split())
    assert said == "cam: " + why.removeprefix("stream 'cam': ")


def test_without_a_word_of_where_it_records_beside_the_configuration(
    tmp_path: Path, bindstream: Command
) -> None:
    (tmp_path / "home.yaml").write_text(SCENE)
    done = bindstream("record", tmp_path / "home.yaml")
    assert done.code == 0, done.err
    [folder] = (tmp_path / "recordings").iterdir()
    assert f"Recording to {folder}." in done.out


def test_pictures_that_are_none_are_refused(tmp_path: Path, bindstream: Command) -> None:
    (tmp_path / "home.yaml").write_text(SCENE)
    done = bindstream("record", tmp_path / "home.yaml", "--to", tmp_path, "--pictures", "gif")
    assert (done.code, "'gif'" in done.err) == (2, True)


def test_where_nothing_can_be_kept_nothing_is_begun(tmp_path: Path, bindstream: Command) -> None:
    (tmp_path / "scene.yaml").write_text(SCENE)
    (tmp_path / "file").write_text("")
    done = bindstream("record", tmp_path / "scene.yaml", "--to", tmp_path / "file" / "x")
    assert (done.code, "is a file" in done.err) == (2, True)
    (tmp_path / "recordings").write_text("")
    done = bindstream("record", tmp_path / "scene.yaml")
    assert (done.code, "is a file" in done.err, "--to DIR" in done.err) == (2, True, True)


def test_a_section_says_where_to(tmp_path: Path, bindstream: Command) -> None:
    (tmp_path / "home.yaml").write_text(SCENE + "record: {path: kept, pictures: lossless}\n")
    assert bindstream("record", tmp_path / "home.yaml", "--seconds", 30).code == 0
    [folder] = (tmp_path / "kept").iterdir()
    with Recording(folder) as recording:
        assert b"jpeg" not in b"".join(path.read_bytes() for path in recording.files)


def test_info_says_what_there_is(recorded: Path, bindstream: Command) -> None:
    said = json.loads(bindstream("record", "info", recorded, "--json").out)
    assert said["streams"].keys() == STREAMS.keys()
    kitchen = said["streams"]["kitchen"]
    assert (kitchen["samples"], kitchen["gaps"], kitchen["readings"]) == (30, 1, 48000)
    assert kitchen["duration_s"] == pytest.approx(4.0)
    assert said["streams"]["door"]["shape"] == [48, 64, 3]
    assert said["streams"]["wrist"]["rate_hz"] == pytest.approx(10)
    assert said["damage"] == []
    people = bindstream("record", "info", recorded)
    assert people.code == 0
    assert "64×48" in people.out


def shown(**streams: StreamSummary) -> list[str]:
    """The lines of a recording's table on a terminal of 80 columns."""
    said = Summary("x", 1, 0, 0, 0, {}, streams, 0, {}, ())
    console = Console(width=80)
    with console.capture() as capture:
        console.print(summary_table(said))
    return capture.get().splitlines()


def test_the_table_of_a_long_recording_is_whole_on_80_columns() -> None:
    start_ns, end_ns, hour_ns = BEGIN_NS, BEGIN_NS + 864_000 * S, 3600 * S
    door = StreamSummary("thermal", start_ns, end_ns, 25_920_000, 1234, 98765)
    door.shape, door.data_bytes, door.vectors = (1080, 1920), 5 * 10**13, 864_000
    mic = StreamSummary("audio", start_ns, start_ns + hour_ns, 36_000, 0, 0, readings=57_600_000)
    lines = shown(**{"door": door, "the-microphone-of-the-kitchen": mic})
    assert max(map(len, lines)) <= 80
    rows = [line.split()[1:] for line in lines if " thermal " in line or " audio " in line]
    assert rows == [
        [
            *("thermal", "864000.0", "25.9", "M", "30.0", "1,234", "98,765", "1920×1080"),
            *("50,000,000", "864,000"),
        ],
        ["audio", "3600.0", "36,000", "10.0", "0", "0", "57.6", "M", "0.0", "0"],
    ]


@pytest.mark.parametrize("name", ["house", "faults"])
def test_what_the_recordings_of_tests_hold_is_whole_on_80_columns(name: str) -> None:
    with Recording(RECORDINGS / name) as recording:
        streams = summarise(recording).streams
    lines = shown(**streams)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    shown_lines = [line.replace("MB raw", "MB_raw") for line in lines if line.strip(" ─")]
    header, *rows = [line.split() for line in shown_lines]
    assert "vectors" not in header  # sensors were recorded alone
    for cells, (stream, each) in zip(rows, streams.items(), strict=True):
        row = dict(zip(header, cells, strict=True))
        assert row["stream"] == stream
        assert (row["of"], row["samples"], row["gaps"]) == (
            each.modality,
            str(each.samples),
            str(each.gaps),
        )


def test_info_of_a_damaged_recording_says_what_is_damaged(
    recorded: Path, bindstream: Command
) -> None:
    [file] = recorded.iterdir()
    file.write_bytes(file.read_bytes()[:-5000])
    done = bindstream("record", "info", recorded)
    assert done.code == 3
    assert "never closed" in done.err or "index is damaged" in done.err


def test_what_info_counts_is_said_with_what_it_is_of(tmp_path: Path, bindstream: Command) -> None:
    begun = Alert(
        id="a", query="dog", text="a dog", state="started", stream="kitchen", modality="audio",
        start_ns=BEGIN_NS, end_ns=BEGIN_NS + S, peak_ns=BEGIN_NS, peak_z=4.0, peak_cosine=0.25,
        on=3.0, off=2.0, scores=(1.0, 4.0), model="m1",
    )  # fmt: skip
    writer = Recorder(tmp_path, "x", RecordConfig(), {}, sensors=STREAMS, results=STREAMS)
    writer.push(sample("kitchen", 0))
    for alert in (begun, replace(begun, state="ended"), replace(begun, id="b")):
        writer.take(alert)
    writer.accounts("kitchen", Accounts(37, 37, 0, {}, 0.0), BEGIN_NS)
    writer.close()
    said = json.loads(bindstream("record", "info", tmp_path, "--json").out)
    assert (said["alerts"], said["alerts_begun"]) == (3, 2)
    lines = bindstream("record", "info", tmp_path).out.splitlines()
    assert "MB on disk" in lines[0]
    assert any("MB raw" in line for line in lines)
    assert "alerts that began: 2 (announcements, ends included: 3)" in lines
    accounts = next(i for i, line in enumerate(lines) if line.startswith("kitchen: 37 windows"))
    assert "from the beginning of the run" in lines[accounts - 1]


def test_a_recording_in_progress_is_not_called_damaged(tmp_path: Path, bindstream: Command) -> None:
    writer = Recorder(tmp_path / "run", "sensors", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    until_s = time.monotonic() + 60
    while not writer.health().samples:
        assert time.monotonic() < until_s
        time.sleep(0.02)
    people = bindstream("record", "info", tmp_path / "run")
    assert (people.code, people.err) == (0, "Still being written: 1 file.\n")
    said = json.loads(bindstream("record", "info", tmp_path / "run", "--json").out)
    assert (said["being_written"], said["damage"]) == (["sensors-00001.mcap"], [])
    part = bindstream("record", "cut", tmp_path / "run", "--out", tmp_path / "part.mcap")
    assert (part.code, part.err) == (0, "Still being written: 1 file.\n")
    writer.close()


def test_cut_keeps_the_very_same_samples(
    recorded: Path, tmp_path: Path, bindstream: Command
) -> None:
    out = tmp_path / "not" / "there" / "part.mcap"
    args = ("--from", "1", "--to", "2.5", "--streams", "wrist,stove", "--out", out)
    done = bindstream("record", "cut", recorded, *args)
    assert done.code == 0, done.err
    with Recording(out) as part:
        assert list(part.streams) == ["stove", "wrist"]
        for stream in part.streams:
            got = list(part.samples(stream))
            for one, n in zip(got, range(10, 25), strict=True):
                assert_same(one, sample(stream, n))
        assert part.start_ns == BEGIN_NS + S
        assert part.config == "streams: []"
    whole = bindstream(
        "record", "cut", recorded, "--streams", "stove", "--to", 4, "--out", tmp_path / "all.mcap"
    )
    assert (whole.code, "40 samples" in whole.out) == (0, True)
    again = bindstream("record", "cut", recorded, *args)
    assert (again.code, "there already" in again.err) == (1, True)


def test_cut_joins_files_and_repairs_a_damaged_one(
    recorded: Path, tmp_path: Path, bindstream: Command
) -> None:
    [file] = recorded.iterdir()
    file.write_bytes(file.read_bytes()[:-3000])
    out = tmp_path / "whole.mcap"
    done = bindstream("record", "cut", recorded, "--out", out)
    assert done.code == 3  # something of it was damaged
    assert "damaged" in done.err
    with Recording(out) as whole, Recording(recorded) as before:
        assert whole.damage == ()
        for stream in whole.streams:
            pairs = zip(whole.samples(stream), before.samples(stream), strict=True)
            for one, other in pairs:
                assert_same(one, other)


def test_a_span_that_is_none_is_an_error(
    recorded: Path, tmp_path: Path, bindstream: Command
) -> None:
    out = tmp_path / "part.mcap"
    for args, why in (
        (("--from", "2", "--to", "1"), "not after"),
        (("--from", "900"), "not within"),
        (("--streams", "attic"), "no stream 'attic'"),
        (("--streams", ","), "names no stream"),
    ):
        done = bindstream("record", "cut", recorded, "--out", out, *args)
        assert done.code in (1, 2)
        assert why in done.err
        assert not out.exists()


def test_export_writes_sound_with_silence_where_nothing_was_recorded(
    recorded: Path, tmp_path: Path, bindstream: Command
) -> None:
    out = tmp_path / "not" / "there" / "out"
    done = bindstream("record", "export", recorded, "--out", out, "--streams", "kitchen,wrist")
    assert done.code == 0, done.err
    with wave.open(str(out / "kitchen.wav")) as file:
        assert (file.getframerate(), file.getnframes()) == (16000, 64000)
        pcm = np.frombuffer(file.readframes(64000), "<i2")
    assert not pcm[32000:48000].any()
    given = np.rint(sample("kitchen", 35).data * 32768).astype(np.int16)
    np.testing.assert_array_equal(pcm[35 * 1600 : 36 * 1600], given)
    with (out / "kitchen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["silence_before"] for row in rows if row["gap"]] == ["16000"]
    assert int(rows[1]["time_ns"]) == BEGIN_NS + S // 10
    with (out / "wrist.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 400
    assert np.float32(rows[10]["ax"]) == sample("wrist", 1).data[0, 0]


def test_export_writes_films_at_true_timing_pictures_and_values(
    recorded: Path, tmp_path: Path, bindstream: Command
) -> None:
    av = pytest.importorskip("av")
    done = bindstream("record", "export", recorded, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    with av.open(str(tmp_path / "out" / "door.mp4")) as film:
        times = [float(frame.time) for frame in film.decode(video=0)]
    assert times == pytest.approx([n / 10 for n in range(40)], abs=0.002)
    with (tmp_path / "out" / "stove.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[3]["max_c"]) == pytest.approx(float(sample("stove", 3).data.max()), rel=1e-5)
    done = bindstream(
        "record", "export", recorded, "--out", tmp_path / "p", "--streams", "door",
        "--pictures", "files",
    )  # fmt: skip
    assert len(list((tmp_path / "p" / "door").glob("*.jpg"))) == 40
    full = bindstream("record", "export", recorded, "--out", tmp_path / "p")
    assert (full.code, "not empty" in full.err) == (2, True)


def test_of_a_damaged_recording_what_is_told_is_what_can_be_read(
    recorded: Path, tmp_path: Path, bindstream: Command
) -> None:
    [file] = recorded.iterdir()
    data = bytearray(file.read_bytes())
    for at in range(len(data) // 4, len(data) // 2, 997):
        data[at] ^= 255
    file.write_bytes(data)
    said = bindstream("record", "info", recorded, "--json")
    assert said.code == 3
    streams = json.loads(said.out)["streams"]
    with Recording(recorded) as recording:
        read = {name: sum(1 for _ in recording.samples(name)) for name in recording.streams}
    assert {name: each["samples"] for name, each in streams.items()} == read
    assert any(each["lost"] for each in streams.values())
    done = bindstream("record", "export", recorded, "--out", tmp_path / "out")
    assert done.code == 3
    assert "damaged" in done.err


def test_a_file_that_is_no_recording_is_said_to_be_none(
    tmp_path: Path, bindstream: Command
) -> None:
    file = tmp_path / "notes.mcap"
    file.write_text("what I did today\n" * 99)
    said = bindstream("record", "info", file)
    assert said.code == 1
    assert "its first bytes are not those of an MCAP file" in said.err
    assert "never closed" not in said.err
