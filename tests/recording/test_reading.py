"""A recording is read whatever became of it: what is whole comes back, what is not is said."""

from __future__ import annotations

import importlib.util
import os
import random
import resource
import struct
import tracemalloc
import zlib
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from bindstream.errors import MissingPackageError, RecordingError
from bindstream.recording import Recorder, Recording
from bindstream.recording.channels import sensor_channels
from bindstream.recording.mcap_file import MAGIC
from bindstream.recording.samples import encode_sample
from bindstream.recording.segment import Segment
from bindstream.records import Sample
from tests.recording.made import BEGIN_NS, STREAMS, S, assert_same, record, sample

CHUNKS, A_CHUNK = 8, 5
GIVEN = [sample(stream, n) for n in range(CHUNKS * A_CHUNK) for stream in ("kitchen", "wrist")]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of eight chunks, each of five Samples of two streams."""
    return _file(tmp_path_factory.mktemp("closed") / "x-00001.mcap", close=True)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same as its writer would leave it if it were killed."""
    return _file(tmp_path_factory.mktemp("killed") / "x-00001.mcap", close=False)


def _file(path: Path, *, close: bool) -> bytes:
    channels = sensor_channels({name: STREAMS[name] for name in ("kitchen", "wrist")})
    segment = Segment(path, channels, {"config": "c"})
    for i, each in enumerate(GIVEN):
        encoded = encode_sample(each)
        for log_ns, data in encoded.data:
            segment.add(("data", each.stream), log_ns, log_ns, data)
        segment.add(("sample", each.stream), encoded.log_ns, encoded.log_ns, encoded.about)
        if i % (2 * A_CHUNK) == 2 * A_CHUNK - 1:
            segment.flush()
    total = '{"samples": %d, "start_ns": %d, "end_ns": %d}'
    said = total % (len(GIVEN) // 2, BEGIN_NS, GIVEN[-1].end_ns)
    if close:
        segment.close({"kitchen": said, "wrist": said})
    else:
        segment.abandon()
    return path.read_bytes()


def read(path: Path, content: bytes) -> tuple[dict[str, list[Sample]], tuple[str, ...]]:
    """What comes back of each stream, each of it as it was given, and what is said to be wrong."""
    path.write_bytes(content)
    with Recording(path) as recording:
        got = {name: list(recording.samples(name)) for name in recording.streams}
        damage = tuple(recording.damage)
    given = {(each.stream, each.start_ns): each for each in GIVEN}
    for name, samples in got.items():
        starts = [each.start_ns for each in samples]
        assert starts == sorted(starts)
        for each in samples:
            assert_same(each, given[name, each.start_ns])
    return got, damage


def test_a_file_cut_off_anywhere_gives_every_whole_chunk(tmp_path: Path, closed: bytes) -> None:
    rng = random.Random(4)
    before = -1
    for size in sorted(rng.sample(range(len(closed)), 60)):
        try:
            got, damage = read(tmp_path / "x.mcap", closed[:size])
        except RecordingError:
            assert before < 1, "more was there when less was left"
            continue
        assert any("never closed" in what or "index is damaged" in what for what in damage)
        counts = {name: len(samples) for name, samples in got.items()}
        assert len(set(counts.values())) <= 1
        count = counts.get("kitchen", 0)
        assert count % A_CHUNK == 0
        assert count >= before  # whatever more is left brings more back
        before = count
    assert before == CHUNKS * A_CHUNK


@pytest.mark.parametrize("state", ["closed", "killed"])
def test_flipped_bits_cost_what_lies_in_their_chunk_and_are_said(
    state: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    content: bytes = request.getfixturevalue(state)
    rng = random.Random(5)
    lost_one = 0
    for _ in range(60):
        flipped = bytearray(content)
        flipped[rng.randrange(len(MAGIC), len(content))] ^= 1 << rng.randrange(8)
        got, damage = read(tmp_path / "x.mcap", bytes(flipped))
        count = len(got["kitchen"])
        assert count >= (CHUNKS - 1) * A_CHUNK
        assert len(got["wrist"]) == count
        if count < CHUNKS * A_CHUNK:
            lost_one += 1
            assert any("cannot be read" in what or "cut off" in what for what in damage)
    assert lost_one > 20


def test_where_the_first_chunk_is_gone_the_others_are_known(tmp_path: Path, killed: bytes) -> None:
    first = killed.index(b"\x04\x00\x00\x00zstd")
    broken = killed[: first + 40] + bytes(200) + killed[first + 240 :]
    got, damage = read(tmp_path / "x.mcap", broken)
    assert len(got["kitchen"]) == len(got["wrist"]) == (CHUNKS - 1) * A_CHUNK
    assert any("cannot be read" in what for what in damage)


def test_a_file_of_nothing_and_one_of_noise_are_no_recordings(tmp_path: Path) -> None:
    for content in (b"", MAGIC, random.Random(1).randbytes(100_000)):
        (tmp_path / "x.mcap").write_bytes(content)
        with pytest.raises(RecordingError, match="no recording that can be read"):
            Recording(tmp_path / "x.mcap")


def _forged(unpacked: int, packed: bytes) -> bytes:
    fields = struct.pack("<QQQI", 1, 2, unpacked, 0) + b"\x04\x00\x00\x00zstd"
    body = fields + struct.pack("<Q", len(packed)) + packed
    return b"\x06" + struct.pack("<Q", len(body)) + body


def test_forged_sizes_and_bombs_take_no_memory(tmp_path: Path, killed: bytes) -> None:
    import zstandard

    bomb = zstandard.compress(bytes(200 * 2**20))
    forgeries = [
        _forged(2**40, b"x" * 100),  # says more than anybody may have
        _forged(1000, bomb),  # packs more than it says
        b"\x06" + struct.pack("<Q", 2**60) + bytes(50),
        b"\x05" + struct.pack("<Q", 2**62),
        b"\x0c" + struct.pack("<Q", 2**31) + bytes(10),
    ]
    first = killed.index(b"\x04\x00\x00\x00zstd") - 37
    for forged in forgeries:
        tracemalloc.start()
        got, damage = read(tmp_path / "x.mcap", killed[:first] + forged + killed[first:])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 60 * 2**20
        assert len(got["kitchen"]) == CHUNKS * A_CHUNK
        assert any("cannot be read" in what for what in damage)


@pytest.mark.parametrize(
    "said",
    [
        b"{}",
        b"[]",
        b"no JSON",
        b'{"start_ns": "x", "end_ns": 1}',
        b'{"start_ns": 1, "end_ns": 2, "lost": []}',
        b'{"start_ns": 1, "end_ns": 2, "codec": 3, "shape": [1]}',
        b'{"start_ns": 1, "end_ns": 2, "codec": "raw", "shape": [2], "dtype": "O", "raw": "AAAA"}',
    ],
)
def test_forged_messages_are_left_out_and_said(said: bytes, tmp_path: Path) -> None:
    segment = Segment(tmp_path / "x.mcap", sensor_channels({"kitchen": "audio"}), {})
    good = encode_sample(GIVEN[0])
    for about in (said, good.about):
        for log_ns, data in good.data:
            segment.add(("data", "kitchen"), log_ns, log_ns, data)
        segment.add(("sample", "kitchen"), BEGIN_NS, BEGIN_NS, about)
    segment.flush()
    segment.abandon()
    with Recording(tmp_path / "x.mcap") as recording:
        [got] = recording.samples("kitchen")
        assert_same(got, GIVEN[0])
        assert any("a message of kitchen cannot be read" in what for what in recording.damage)


def test_an_index_that_points_elsewhere_is_not_followed(tmp_path: Path, closed: bytes) -> None:
    footer = len(closed) - len(MAGIC) - 29
    start = struct.unpack_from("<Q", closed, footer + 9)[0]
    summary = bytearray(closed[start:footer])
    at = summary.index(struct.pack("<Q", closed.index(b"\x04\x00\x00\x00zstd") - 37))
    summary[at : at + 8] = struct.pack("<Q", 2**50)
    head = closed[footer : footer + 25]
    checksum = zlib.crc32(head, zlib.crc32(summary))
    forged = closed[:start] + bytes(summary) + head + struct.pack("<I", checksum) + MAGIC
    got, _ = read(tmp_path / "x.mcap", forged)
    assert len(got["kitchen"]) >= (CHUNKS - 1) * A_CHUNK


def test_a_part_of_a_stream_is_what_begins_in_it(tmp_path: Path) -> None:
    record(tmp_path, [sample("kitchen", n) for n in range(50)])
    with Recording(tmp_path) as recording:
        assert recording.start_ns == BEGIN_NS
        assert recording.end_ns == BEGIN_NS + 5 * S
        part = recording.samples("kitchen", BEGIN_NS + S, BEGIN_NS + 2 * S)
        starts = [(each.start_ns - BEGIN_NS) * 10 // S for each in part]
        assert starts == list(range(10, 20))


def test_streams_are_read_side_by_side(tmp_path: Path) -> None:
    record(tmp_path, [sample(stream, n) for n in range(20) for stream in STREAMS])
    with Recording(tmp_path) as recording:
        together = zip(*(recording.samples(stream) for stream in STREAMS), strict=True)
        assert all(len({each.start_ns for each in row}) == 1 for row in together)


def test_a_recording_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    import time

    from bindstream.config.record import RecordConfig

    writer = Recorder(tmp_path, "x", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    until_s = time.monotonic() + 20
    while not writer.health().samples:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    with Recording(tmp_path) as recording:
        assert recording.damage == ()
        assert recording.being_written == (tmp_path / "x-00001.mcap",)
        assert_same(next(recording.samples("stove")), sample("stove", 0))
    with (tmp_path / "x-00001.mcap").open("ab") as half:
        half.write(b"\x06" + bytes(20))  # the beginning of a chunk that is being written
    with Recording(tmp_path) as recording:
        assert (recording.damage, len(recording.being_written)) == ((), 1)
    writer.close()
    with Recording(tmp_path) as recording:
        assert recording.being_written == ()


def test_files_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (99_999, 100_000, 100_001):
        alone = record(tmp_path / str(number), [sample("wrist", number)])
        (alone / "sensors-00001.mcap").rename(tmp_path / f"sensors-{number}.mcap")
    with Recording(tmp_path) as recording:
        got = [each.start_ns for each in recording.samples("wrist")]
    assert got == sorted(got)


def test_a_recording_may_have_more_files_than_a_process_may_have_open(tmp_path: Path) -> None:
    for n in range(70):
        with_one = record(tmp_path / str(n), [sample("wrist", n)])
        (with_one / "sensors-00001.mcap").rename(tmp_path / f"sensors-{n:05d}.mcap")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + 20, before[1]))
    try:
        with Recording(tmp_path) as recording:
            assert sum(1 for _ in recording.samples("wrist")) == 70
            assert recording.damage == ()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_errors_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no such recording"):
        Recording(tmp_path / "none")
    with pytest.raises(RecordingError, match="there is no recording in it"):
        Recording(tmp_path)
    record(tmp_path / "run", [sample("stove", 0)])
    with pytest.raises(RecordingError, match=r"holds 1 recording, name one.*run"):
        Recording(tmp_path)
    recording = Recording(tmp_path / "run")
    with pytest.raises(RecordingError, match=r"no stream 'attic'\..*stove"):
        recording.samples("attic")
    recording.close()


@pytest.mark.parametrize("package", ["mcap", "zstandard"])
def test_without_its_packages_a_recording_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    record(tmp_path, [sample("stove", 0)])
    find = importlib.util.find_spec

    def without(name: str, parent: str | None = None) -> ModuleSpec | None:
        return None if name == package else find(name, parent)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(MissingPackageError, match=f"needs {package}.*pip install"):
        Recording(tmp_path)
