"""Recordings that are well-formed MCAP and say what cannot be, and other people's files: what is
whole is given, the rest is said, in bounded memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.errors import RecordingError
from bindstream.recording import Recording
from bindstream.records import Sample
from tests.recording.made import STREAMS, record, sample

pytest.importorskip("mcap")
MIB = 1 << 20
JUNK: list[Any] = [
    *(None, True, -1, 0, 2**31, 2**63, 2**70, float("nan"), 1e308, "", "x" * 9000, "raw", "png"),
    *([], [2**40], [2**20, 2**20, 3], [-1, -1], {}, {"a": [[[]]]}, "object", "<M8[ns]", "V1000000"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    samples = [sample(name, i) for i in range(6) for name in STREAMS]
    return next(record(folder / "run", samples).glob("*.mcap"))


def read_all(path: Path) -> dict[str, list[Sample]]:
    """Everything there is, as every reader would take it; the only error is RecordingError."""
    try:
        with Recording(path) as recording:
            got = {name: list(recording.samples(name)) for name in recording.streams}
            list(recording.embeddings())
            list(recording.alerts())
            recording.accounts()
            list(recording.messages())
            assert all(isinstance(what, str) and what for what in recording.damage)
    except RecordingError:
        return {}
    for name, samples in got.items():
        for each in samples:
            assert isinstance(each, Sample)
            assert each.stream == name
            assert isinstance(each.data, np.ndarray)
    return got


def rewritten(source: Path, to: Path, rng: random.Random, share: float) -> None:
    """The same file with checksums that hold, of which some messages and channels are changed."""
    from mcap.reader import make_reader
    from mcap.writer import Writer

    with source.open("rb") as file, to.open("wb") as out:
        reader, writer = make_reader(file), Writer(out, chunk_size=16 * MIB)
        writer.start("", "")
        channels: dict[int, int] = {}
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            if channel.id not in channels:
                about = dict(channel.metadata)
                if about and rng.random() < share:
                    about[rng.choice(list(about))] = str(rng.choice(JUNK))[:200]
                number = 0
                if schema is not None:
                    number = writer.register_schema(schema.name, schema.encoding, schema.data)
                encoding = channel.message_encoding
                channels[channel.id] = writer.register_channel(
                    channel.topic, encoding, number, about
                )
            data, log_ns = message.data, message.log_time
            if rng.random() < share:
                data = spoilt(data, rng)
                log_ns = rng.choice((0, log_ns, 2**63, 2**64 - 1))
            writer.add_message(channels[channel.id], log_ns, data, log_ns, message.sequence)
        for record_ in reader.iter_metadata():
            said = dict(record_.metadata)
            if said and rng.random() < share:
                said[rng.choice(list(said))] = str(rng.choice(JUNK))[:500]
            writer.add_metadata(record_.name, said)
        writer.finish()


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """JSON of which one value is another; of anything else some bytes."""
    try:
        said = json.loads(data)
        said[rng.choice(list(said))] = rng.choice(JUNK)
        return json.dumps(said).encode()
    except (ValueError, TypeError, IndexError):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed[: rng.randint(0, len(changed))] if rng.random() < 0.5 else changed)


def test_a_file_that_somebody_else_wrote_anew_is_the_same_recording(
    whole: Path, tmp_path: Path
) -> None:
    rewritten(whole, tmp_path / "x.mcap", random.Random(0), 0.0)
    assert {name: len(got) for name, got in read_all(tmp_path / "x.mcap").items()} == dict.fromkeys(
        STREAMS, 6
    )


@pytest.mark.parametrize("seed", range(25))
def test_what_says_what_cannot_be_costs_itself_alone(
    whole: Path, tmp_path: Path, seed: int
) -> None:
    rewritten(whole, tmp_path / "x.mcap", random.Random(seed), 0.15)
    tracemalloc.start()
    got = read_all(tmp_path / "x.mcap")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 * MIB
    assert sum(map(len, got.values())) >= 5  # of 30


def test_a_picture_that_unpacks_to_gigabytes_is_not_unpacked(whole: Path, tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    side = 30_000
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(10 * MIB), 9)) + chunk(b"IEND", b"")
    from mcap.reader import make_reader
    from mcap.writer import Writer
    from mcap_protobuf.decoder import DecoderFactory

    path = tmp_path / "x.mcap"
    with whole.open("rb") as file, path.open("wb") as out:
        writer = Writer(out, chunk_size=16 * MIB)
        writer.start("", "")
        channels: dict[int, int] = {}
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            if channel.id not in channels:
                number = 0
                if schema is not None:
                    number = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, number, dict(channel.metadata)
                )
            data = message.data
            if schema is not None and schema.name == "foxglove.CompressedImage":
                picture = DecoderFactory().decoder_for("protobuf", schema)(data)
                picture.data = bomb
                data = picture.SerializeToString()
            elif data.startswith(b"{") and b'"jpeg"' in data:
                said = json.loads(data)
                data = json.dumps({**said, "codec": "png", "shape": [side, side, 3]}).encode()
            writer.add_message(channels[channel.id], message.log_time, data, message.log_time)
        writer.finish()
    tracemalloc.start()
    got = read_all(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 * MIB
    assert got["door"] == []
    assert len(got["kitchen"]) == 6


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "ZSTD"])
def test_other_peoples_files_are_no_recordings_and_end_nothing(
    tmp_path: Path, compression: str
) -> None:
    from mcap.writer import CompressionType, Writer

    path = tmp_path / "robot.mcap"
    with path.open("wb") as out:
        writer = Writer(out, compression=CompressionType[compression], chunk_size=2000)
        writer.start("ros2", "somebody")
        schema = writer.register_schema("Pose", "jsonschema", b"{}")
        channel = writer.register_channel("/pose", "json", schema)
        for i in range(300):
            writer.add_message(channel, i, json.dumps({"x": i}).encode(), i)
        writer.add_attachment(0, 0, "map.pgm", "image/x-portable-graymap", bytes(5000))
        writer.add_metadata("robot", {"name": "r2"})
        writer.finish()
    with pytest.raises(RecordingError, match="no recording that can be read"):
        Recording(path)


@pytest.mark.parametrize("seed", range(10))
def test_bytes_changed_anywhere_end_nothing(whole: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    content = bytearray(whole.read_bytes())
    for _ in range(rng.choice((1, 10, 300))):
        at, long = rng.randrange(len(content)), rng.choice((1, 1, 8, 200))
        kind = rng.random()
        if kind < 0.5:
            content[at : at + long] = rng.randbytes(long)
        elif kind < 0.75:
            del content[at : at + long]
        else:
            content[at:at] = rng.choice((b"\xff" * long, bytes(long), content[:long]))
    path = tmp_path / "x.mcap"
    path.write_bytes(content)
    tracemalloc.start()
    read_all(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 * MIB
