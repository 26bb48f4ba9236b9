"""The recorder: files that rotate, room that is kept to, a full disk that is said and survived."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bindstream.accounts import Accounts
from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder, Recording, recorder, series
from bindstream.recording.folders import is_being_written
from bindstream.records import Alert, Embedding, Sample
from tests.recording.made import BEGIN_NS, STREAMS, S, assert_same, record, sample


def wait_until(true: Callable[[], bool], within_s: float = 20) -> None:
    until_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_every_stream_comes_back_in_the_order_in_which_it_arrived(tmp_path: Path) -> None:
    numbers = [3, 1, 2, 2, 9, 0]  # late, double, with gaps between
    given = [sample(stream, n, gap="lost" if n == 9 else "") for n in numbers for stream in STREAMS]
    with Recording(record(tmp_path / "run", given, pictures="lossless")) as recording:
        for stream in STREAMS:
            expected = [each for each in given if each.stream == stream]
            got = list(recording.samples(stream))
            assert len(got) == len(expected)
            for one, other in zip(got, expected, strict=True):
                assert_same(one, other)
            said = recording.streams[stream]
            assert (said.samples, said.gaps, said.lost) == (6, 1, 0)
            assert said.start_ns == BEGIN_NS
            assert said.end_ns == max(each.end_ns for each in expected)
        assert recording.damage == ()
        assert recording.config == "streams: []"


def test_results_are_recorded_with_the_readings(tmp_path: Path) -> None:
    vector = np.random.default_rng(1).normal(size=16).astype(np.float32)
    embedding = Embedding(
        "kitchen", "audio", 4, BEGIN_NS, BEGIN_NS + 2 * S, vector, "m1", readings={"max_c": np.nan}
    )
    alert = Alert(
        id="a", query="dog", text="a dog", state="started", stream="kitchen", modality="audio",
        start_ns=BEGIN_NS, end_ns=BEGIN_NS + S, peak_ns=BEGIN_NS, peak_z=float("inf"),
        peak_cosine=0.25, on=3.0, off=2.0, scores=(1.0, 2.5), model="m1", nearest=(("cat", 0.5),),
    )  # fmt: skip
    accounts = Accounts(3, 1, 1, {"void": 0}, 0.5)
    writer = Recorder(tmp_path, "bus", RecordConfig(), {}, results=STREAMS)
    writer.take(embedding)
    writer.take(alert)
    writer.accounts("kitchen", Accounts(1, 0, 0, {}, 0.0), BEGIN_NS)
    writer.accounts("kitchen", accounts, BEGIN_NS + 1)
    writer.close()
    assert writer.health().results == 2
    with Recording(tmp_path) as recording:
        [got] = recording.embeddings("kitchen")
        assert got.vector.tobytes() == vector.tobytes()
        assert np.isnan(got.readings["max_c"])
        assert (got.seq, got.model, got.end_ns) == (4, "m1", BEGIN_NS + 2 * S)
        assert list(recording.alerts()) == [alert]
        assert recording.accounts() == {"kitchen": accounts.plain()}


def test_files_rotate_by_size_and_each_opens_by_itself(tmp_path: Path) -> None:
    given = [sample("stove", n) for n in range(300)]
    writer = Recorder(
        tmp_path, "x", RecordConfig(segment_bytes=200_000), {"config": "c"}, sensors=STREAMS
    )
    for each in given:
        writer.push(each)
        if each.start_ns % S == 0:  # a chunk a second
            wait_until(lambda: writer.health().waiting == 0)
            time.sleep(recorder.CHUNK_S / 20)
    writer.close()
    files = sorted(tmp_path.glob("*.mcap"))
    assert len(files) == writer.health().files
    alone = []
    for file in files:
        with Recording(file) as recording:
            assert recording.config == "c"
            alone += list(recording.samples("stove"))
    with Recording(tmp_path) as recording:
        together = list(recording.samples("stove"))
    for got in (alone, together):
        assert [each.start_ns for each in got] == [each.start_ns for each in given]


def test_files_rotate_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "CHUNK_S", 0.05)
    writer = Recorder(tmp_path, "x", RecordConfig(segment_s=1), {}, sensors=STREAMS)
    begun_s = time.monotonic()
    for n in range(1000):
        writer.push(sample("stove", n))
        time.sleep(0.05)
        if writer.health().files > 2:
            break
    writer.close()
    assert time.monotonic() - begun_s > 2
    assert len(list(tmp_path.glob("*.mcap"))) == writer.health().files >= 3


def test_what_comes_too_fast_is_counted_and_said_in_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "QUEUE_MOST", 4)
    writer = Recorder(tmp_path, "x", RecordConfig(), {}, sensors=STREAMS)
    for n in range(200):
        writer.push(sample("door", n))
    wait_until(lambda: writer.health().waiting == 0)
    assert "faster than they could be recorded" in writer.health().trouble
    writer.push(sample("door", 200))
    writer.close()
    health = writer.health()
    lost = health.lost["door"]
    assert 0 < lost < 200
    assert health.samples["door"] == 201 - lost
    with Recording(tmp_path) as recording:
        assert recording.streams["door"].samples == 201 - lost
        assert recording.streams["door"].lost == lost


def test_who_plays_a_file_waits_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "QUEUE_MOST", 4)
    writer = Recorder(tmp_path, "x", RecordConfig(), {}, sensors=STREAMS, played=["door"])
    for n in range(100):
        writer.push(sample("door", n))
    writer.close()
    assert writer.health().lost == {}
    with Recording(tmp_path) as recording:
        assert recording.streams["door"].samples == 100


def test_a_full_disk_is_said_counted_and_got_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [True]
    write = series.Segment.flush

    def flush(self: series.Segment) -> None:
        if not room[0]:
            os.write(self._file.fileno(), b"half of it")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self)

    monkeypatch.setattr(series.Segment, "flush", flush)
    monkeypatch.setattr(series, "RETRY_S", 0.05)
    monkeypatch.setattr(recorder, "CHUNK_S", 0.05)
    writer = Recorder(tmp_path / "run", "x", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    wait_until(lambda: writer.health().samples.get("stove", 0) == 1)
    room[0] = False
    for n in range(1, 4):
        writer.push(sample("stove", n))
    wait_until(lambda: writer.health().lost.get("stove", 0) == 3)
    assert "No space left on device" in writer.health().trouble
    room[0] = True
    time.sleep(0.1)
    writer.push(sample("stove", 4))
    wait_until(lambda: writer.health().samples["stove"] == 2)
    writer.close()
    with Recording(tmp_path / "run") as recording:
        starts = [each.start_ns for each in recording.samples("stove")]
        assert starts == [sample("stove", n).start_ns for n in (0, 4)]
        assert recording.streams["stove"].lost == 3
        assert recording.damage == ("x-00001.mcap was never closed: its end may be missing",)


def test_a_disk_that_is_really_full_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a small tmpfs, which takes root")
    try:
        monkeypatch.setattr(series, "RETRY_S", 0.1)
        writer = Recorder(small / "run", "x", RecordConfig(), {}, sensors=STREAMS)
        writer.push(sample("stove", 0))
        wait_until(lambda: writer.health().samples.get("stove", 0) == 1)
        ballast = small / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(2**20))
        for n in range(1, 300):  # 3 kB each, and they do not pack
            writer.push(sample("stove", n))
        wait_until(lambda: writer.health().lost.get("stove", 0) > 0)
        assert "No space left" in writer.health().trouble
        ballast.unlink()
        wait_until(lambda: writer.health().waiting == 0)
        for n in range(300, 1000):
            writer.push(sample("stove", n))
            if writer.health().samples["stove"] > 1:
                break
            time.sleep(0.05)
        writer.close()
        health = writer.health()
        assert health.samples["stove"] + health.lost["stove"] == n + 1
        with Recording(small / "run") as recording:
            last = list(recording.samples("stove"))[-1]
        assert_same(last, sample("stove", n))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_folder_that_is_removed_meanwhile_is_said_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "RETRY_S", 0.05)
    monkeypatch.setattr(recorder, "CHUNK_S", 0.05)
    writer = Recorder(tmp_path / "run", "x", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    wait_until(lambda: writer.health().samples.get("stove", 0) == 1)
    shutil.rmtree(tmp_path / "run")
    writer.push(sample("stove", 1))
    wait_until(lambda: writer.health().lost.get("stove", 0) == 1)
    assert "its file was removed" in writer.health().trouble
    time.sleep(0.1)
    writer.push(sample("stove", 2))
    writer.close()
    with Recording(tmp_path / "run") as recording:
        assert [each.start_ns for each in recording.samples("stove")] == [
            sample("stove", 2).start_ns
        ]
        assert recording.streams["stove"].lost == 1


def test_a_folder_that_cannot_be_made_is_trouble_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = Recorder(tmp_path / "file" / "run", "x", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    wait_until(lambda: writer.health().lost.get("stove", 0) == 1)
    assert "Not a directory" in writer.health().trouble
    writer.close()


def test_a_sample_that_cannot_be_written_is_counted_and_ends_nothing(tmp_path: Path) -> None:
    writer = Recorder(tmp_path, "x", RecordConfig(), {}, sensors=STREAMS)
    other = sample("stove", 0)
    writer.push(Sample("attic", "thermal", other.data, 0, 0, 0))  # which it was not told of
    writer.push(other)
    writer.close()
    assert writer.health().lost == {"attic": 1}
    assert writer.health().samples == {"stove": 1}


_CHILD = """
import sys, time
from pathlib import Path
from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder
from tests.recording.made import STREAMS, sample
writer = Recorder(Path(sys.argv[1]), "x", RecordConfig(), {}, sensors=STREAMS)
for n in range(100_000):
    for stream in STREAMS:
        writer.push(sample(stream, n))
    written = writer.health().samples
    print(min(written.get(stream, 0) for stream in STREAMS), flush=True)
    time.sleep(0.01)
"""


def test_after_a_kill_all_that_was_said_to_be_written_reads(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        said = 0
        while said < 30:
            said = int(child.stdout.readline())
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    [file] = tmp_path.glob("*.mcap")
    assert not is_being_written(file)
    with Recording(tmp_path) as recording:
        assert recording.damage[0] == f"{file.name} was never closed: its end may be missing"
        for stream in ("kitchen", "wrist", "stove"):
            got = list(recording.samples(stream))
            assert len(got) == recording.streams[stream].samples >= said
            for n, each in enumerate(got):
                assert_same(each, sample(stream, n))


def test_who_takes_over_from_a_process_that_died_goes_on_in_files_of_its_own(
    tmp_path: Path,
) -> None:
    for number in range(2):
        writer = Recorder(tmp_path, "stove", RecordConfig(), {}, sensors=STREAMS)
        writer.push(sample("stove", number))
        writer.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "stove-00001.mcap",
        "stove-00002.mcap",
    ]
    with Recording(tmp_path) as recording:
        starts = [each.start_ns for each in recording.samples("stove")]
    assert starts == [sample("stove", n).start_ns for n in range(2)]


def test_a_sample_larger_than_any_picture_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SAMPLE_BYTES_MOST", 5000)
    writer = Recorder(tmp_path, "x", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("door", 0))
    writer.push(sample("stove", 0))
    writer.close()
    assert writer.health().lost == {"door": 1}
    assert "too large" in writer.health().trouble


def test_no_fault_of_a_file_ends_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, faults = series.Segment.flush, [MemoryError("none left")]

    def faulty(self: series.Segment) -> None:
        if faults and self.waiting_bytes:
            raise faults.pop()
        flush(self)

    monkeypatch.setattr(series.Segment, "flush", faulty)
    monkeypatch.setattr(series, "RETRY_S", 0.01)
    monkeypatch.setattr(recorder, "CHUNK_S", 0.05)
    writer = Recorder(tmp_path, "x", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    wait_until(lambda: writer.health().lost.get("stove", 0) == 1)
    assert "MemoryError: none left" in writer.health().trouble
    time.sleep(0.05)
    writer.push(sample("stove", 1))
    writer.close()
    with Recording(tmp_path) as recording:
        assert_same(next(recording.samples("stove")), sample("stove", 1))
        assert recording.streams["stove"].lost == 1
        assert recording.damage == ()
