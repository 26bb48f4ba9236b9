"""Other programs read a recording by its own schemas: MCAP's reader with their decoders."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory as Protobuf
from mcap_ros2.decoder import DecoderFactory as Ros2
from PIL import Image

from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder
from bindstream.records import Alert
from tests.recording.made import BEGIN_NS, STREAMS, S, record, sample


def decoded(folder: Path, topic: str) -> Iterator[tuple[str, Any, Any]]:
    """Schema, message and what it says, of every message on a topic."""
    for path in sorted(folder.glob("*.mcap")):
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True, decoder_factories=[Protobuf(), Ros2()])
            for schema, _, message, said in reader.iter_decoded_messages(topics=[topic]):
                assert schema is not None
                yield schema.name, message, said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = [sample(stream, n) for n in range(5) for stream in STREAMS]
    return record(tmp_path_factory.mktemp("recorded"), given)


def test_pictures_are_jpeg_at_their_time(folder: Path) -> None:
    found = list(decoded(folder, "/door"))
    assert len(found) == 5
    for n, (schema, message, said) in enumerate(found):
        assert (schema, said.format, said.frame_id) == ("foxglove.CompressedImage", "jpeg", "door")
        assert message.log_time == BEGIN_NS + n * S // 10
        assert said.timestamp.ToNanoseconds() == message.log_time
        assert message.publish_time == message.log_time + 3_000_000
        picture = np.array(Image.open(io.BytesIO(said.data)))
        assert picture.shape == (48, 64, 3)
        off = picture.astype(int) - sample("door", n).data.astype(int)
        assert np.abs(off).mean() < 12


def test_lossless_pictures_are_png_that_anybody_opens(tmp_path: Path) -> None:
    record(tmp_path, [sample("door", 2)], pictures="lossless")
    [(_, _, said)] = decoded(tmp_path, "/door")
    assert said.format == "png"
    with Image.open(io.BytesIO(said.data)) as picture:
        picture.load()
        np.testing.assert_array_equal(np.array(picture), sample("door", 2).data)


def test_sound_is_pcm_of_16_bits(folder: Path) -> None:
    [(schema, _, said), *_] = decoded(folder, "/kitchen")
    assert schema == "foxglove.RawAudio"
    assert (said.format, said.sample_rate, said.number_of_channels) == ("pcm-s16", 16000, 1)
    pcm = np.frombuffer(said.data, "<i2")
    np.testing.assert_array_equal(pcm / np.float32(32768), sample("kitchen", 0).data)


def test_heat_is_celsius_and_depth_is_millimetres(folder: Path) -> None:
    [(schema, _, heat), *_] = decoded(folder, "/stove")
    assert schema == "foxglove.RawImage"
    assert (heat.encoding, heat.width, heat.height, heat.step) == ("32FC1", 32, 24, 128)
    celsius = np.frombuffer(heat.data, "<f4").reshape(24, 32)
    np.testing.assert_array_equal(celsius, sample("stove", 0).data)
    [(_, _, depth), *_] = decoded(folder, "/hall")
    assert (depth.encoding, depth.step) == ("16UC1", 64)
    millimetres = np.frombuffer(depth.data, "<u2").reshape(24, 32)
    np.testing.assert_allclose(millimetres / 1000, sample("hall", 0).data, rtol=1e-6)


def test_motion_is_a_ros_message_a_reading(folder: Path) -> None:
    found = list(decoded(folder, "/wrist"))
    assert len(found) == 50
    readings = [each for n in range(5) for each in sample("wrist", n).data]
    for i, (schema, message, said) in enumerate(found):
        assert schema == "sensor_msgs/msg/Imu"
        assert message.log_time == BEGIN_NS + i * S // 100
        assert said.header.stamp.sec * S + said.header.stamp.nanosec == message.log_time
        assert said.header.frame_id == "wrist"
        assert said.orientation_covariance[0] == -1  # unknown, as ROS says it
        moved, turned = said.linear_acceleration, said.angular_velocity
        got = [moved.x, moved.y, moved.z, turned.x, turned.y, turned.z]
        assert np.array(got, np.float32).tolist() == readings[i].tolist()


def test_alerts_are_lines_of_a_log_and_json_by_its_schema(tmp_path: Path) -> None:
    alert = Alert(
        id="a", query="dog", text="a dog barking", state="started", stream="kitchen",
        modality="audio", start_ns=BEGIN_NS, end_ns=BEGIN_NS + S, peak_ns=BEGIN_NS, peak_z=5.25,
        peak_cosine=0.25, on=3.0, off=2.0, scores=(5.25,), model="m1",
    )  # fmt: skip
    writer = Recorder(tmp_path, "bus", RecordConfig(), {}, results=STREAMS)
    writer.take(alert)
    writer.close()
    [(schema, message, said)] = decoded(tmp_path, "/bindstream/log")
    assert (schema, said.level, said.name) == ("foxglove.Log", 3, "dog")
    assert said.message == "a dog barking (kitchen, z 5.2)"
    assert message.log_time == said.timestamp.ToNanoseconds() == BEGIN_NS
    [file] = tmp_path.glob("*.mcap")
    with file.open("rb") as stream:
        [(kind, channel, message)] = make_reader(stream).iter_messages(["/bindstream/alerts"])
    assert kind is not None
    assert (kind.name, kind.encoding, channel.message_encoding) == (
        "bindstream.Alert",
        "jsonschema",
        "json",
    )
    known = json.loads(kind.data)["properties"]
    told = json.loads(message.data)
    assert {key: told[key] for key in known} == {key: getattr(alert, key) for key in known}
