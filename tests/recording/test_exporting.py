"""A recording as files of other kinds, whatever its streams are called and whatever it says."""

from __future__ import annotations

import csv
import dataclasses
import wave
from pathlib import Path

import numpy as np
import pytest

from bindstream.config.record import RecordConfig
from bindstream.errors import RecordingError
from bindstream.recording import Recorder, Recording
from bindstream.recording.channels import sensor_channels
from bindstream.recording.exporting import export
from bindstream.recording.samples import encode_sample
from bindstream.recording.segment import Segment
from bindstream.records import Embedding, ModalityName
from tests.recording.made import BEGIN_NS, STREAMS, S, record, sample


def test_streams_may_be_called_what_files_of_all_streams_are(tmp_path: Path) -> None:
    streams: dict[str, ModalityName] = {"vectors": "imu", "alerts": "audio"}
    writer = Recorder(
        tmp_path / "run", "x", RecordConfig(), {}, sensors=streams, results={"alerts": "audio"}
    )
    for n in range(5):
        writer.push(dataclasses.replace(sample("wrist", n), stream="vectors"))
        writer.push(dataclasses.replace(sample("kitchen", n), stream="alerts"))
    vector = np.eye(8, dtype=np.float32)[0]
    writer.take(Embedding("alerts", "audio", 0, BEGIN_NS, BEGIN_NS + S, vector, "m"))
    writer.close()
    with Recording(tmp_path / "run") as recording:
        written = export(recording, tmp_path / "out")
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert there == set(written) == {"vectors.csv", "alerts.csv", "alerts.wav", "all.vectors.csv"}
    for name, many in (("vectors.csv", 50), ("alerts.csv", 5), ("all.vectors.csv", 1)):
        with (tmp_path / "out" / name).open() as file:
            assert len(list(csv.DictReader(file))) == many


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/b", "a\n", "[/]"])
def test_a_stream_whose_name_leads_elsewhere_is_left_out(name: str, tmp_path: Path) -> None:
    forged = Segment(tmp_path / "x.mcap", sensor_channels({name: "audio", "wrist": "imu"}), {})
    for each in (dataclasses.replace(sample("kitchen", 0), stream=name), sample("wrist", 0)):
        encoded = encode_sample(each)
        for log_ns, data in encoded.data:
            forged.add(("data", each.stream), log_ns, log_ns, data)
        forged.add(("sample", each.stream), encoded.log_ns, encoded.log_ns, encoded.about)
    forged.close({})
    with Recording(tmp_path / "x.mcap") as recording:
        assert list(recording.streams) == ["wrist"]
        assert any("is no name of a stream" in what for what in recording.damage)


def test_no_silence_is_written_that_only_a_forged_time_tells_of(tmp_path: Path) -> None:
    forged = Segment(tmp_path / "x.mcap", sensor_channels({"kitchen": "audio"}), {})
    for n in (0, 1, 2):
        late_ns = 2**61 if n == 1 else 0
        encoded = encode_sample(
            dataclasses.replace(sample("kitchen", n), start_ns=BEGIN_NS + n * S // 10 + late_ns)
        )
        for log_ns, data in encoded.data:
            forged.add(("data", "kitchen"), log_ns, log_ns, data)
        forged.add(("sample", "kitchen"), encoded.log_ns, encoded.log_ns, encoded.about)
    said = f'{{"samples": 3, "start_ns": {BEGIN_NS}, "end_ns": {BEGIN_NS + S}}}'
    forged.close({"kitchen": said})
    with Recording(tmp_path / "x.mcap") as recording:
        export(recording, tmp_path / "out")
    with wave.open(str(tmp_path / "out" / "kitchen.wav")) as file:
        assert file.getnframes() <= 16000


def test_sound_of_more_than_a_day_is_refused_before_it_is_written(tmp_path: Path) -> None:
    late_ns = 25 * 3600 * S
    late = sample("kitchen", 1)
    moved = dataclasses.replace(
        late, start_ns=late.start_ns + late_ns, end_ns=late.end_ns + late_ns
    )
    record(tmp_path / "run", [sample("kitchen", 0), moved])
    with (
        Recording(tmp_path / "run") as recording,
        pytest.raises(RecordingError, match="longer than a day"),
    ):
        export(recording, tmp_path / "out", ["kitchen"])


def test_pictures_that_cannot_be_read_cost_nobody_elses_files(tmp_path: Path) -> None:
    pytest.importorskip("av")
    assert STREAMS["door"] == "vision"
    segment = Segment(tmp_path / "x.mcap", sensor_channels({"door": "vision", "wrist": "imu"}), {})
    for name in ("door", "wrist"):
        encoded = encode_sample(sample(name, 0))
        for log_ns, data in encoded.data:
            data = b"no picture" if name == "door" else data
            segment.add(("data", name), log_ns, log_ns, data)
        segment.add(("sample", name), encoded.log_ns, encoded.log_ns, encoded.about)
    said = f'{{"samples": 1, "start_ns": {BEGIN_NS}, "end_ns": {BEGIN_NS + S}}}'
    segment.close(dict.fromkeys(("door", "wrist"), said))
    with Recording(tmp_path / "x.mcap") as recording:
        written = export(recording, tmp_path / "out")
        assert recording.damage
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(written)
    assert "wrist.csv" in written
