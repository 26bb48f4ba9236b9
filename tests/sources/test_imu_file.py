"""Recorded IMU readings: CSV and NPZ, played at their own times; what is broken is named."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bindstream.clocks.host import Clock
from bindstream.errors import SourceError
from bindstream.records import Sample
from bindstream.sources import EndOfStream, Source, SourceContext
from bindstream.sources.imu import ImuOptions, imu_source

CLOCK = Clock.read()
START_NS = 1_700_000_000_000_000_000
NAMES = "time_ms,ax,ay,az,gx,gy,gz"
MS = 1_000_000


@pytest.fixture
def rows() -> NDArray[np.float32]:
    rng = np.random.default_rng(2)
    return rng.normal([0, 0, 9.81, 0, 0, 0], 1, (300, 6)).astype(np.float32)


def write_csv(path: Path, rows: NDArray[np.float32], times: NDArray[np.int64]) -> Path:
    lines = [
        f"{t}," + ",".join(repr(float(v)) for v in row)
        for t, row in zip(times.tolist(), rows, strict=True)
    ]
    path.write_text("\n".join([NAMES, *lines]))
    return path


def imu(path: Path, **options: Any) -> Source:
    given = {"kind": "imu", "file": str(path), "speed": "max", **options}
    return imu_source(
        ImuOptions.model_validate(given), SourceContext("wrist", "imu", CLOCK, START_NS)
    )


def played(source: Source) -> list[Sample]:
    source.open()
    samples: list[Sample] = []
    while True:
        try:
            samples += source.read()
        except EndOfStream:
            source.close()
            return samples


@pytest.mark.parametrize("kind", ["csv", "npz_ms", "npz_ns"])
def test_a_recording_is_played_at_its_own_times(
    tmp_path: Path, rows: NDArray[np.float32], kind: str
) -> None:
    times = 1_657_533_977_813 + np.arange(300) * 10
    path = tmp_path / "walk.npz"
    if kind == "csv":
        path = write_csv(tmp_path / "walk.csv", rows, times)
    elif kind == "npz_ms":
        np.savez(path, time_ms=times, acc_gyro=rows, label=np.array(["walking"] * 300))
    else:
        np.savez(path, time_ns=times * MS, acc_gyro=rows.astype(np.float64))
    source = imu(path)
    samples = played(source)
    assert source.recorded
    np.testing.assert_array_equal(np.concatenate([s.data for s in samples]), rows)
    times_ns = np.concatenate([s.times_ns for s in samples if s.times_ns is not None])
    np.testing.assert_array_equal(times_ns, START_NS + np.arange(300) * 10 * MS)
    assert {(s.data.dtype.str, s.modality, s.gap) for s in samples} == {("<f4", "imu", "")}
    assert {len(s.data) for s in samples} == {10}


def test_at_its_own_speed_a_recording_takes_its_time(
    tmp_path: Path, rows: NDArray[np.float32]
) -> None:
    path = write_csv(tmp_path / "walk.csv", rows[:60], np.arange(60) * 10)
    context = SourceContext("wrist", "imu", CLOCK, CLOCK.now_ns())
    source = imu_source(ImuOptions(kind="imu", file=path, speed=2), context)
    began_s = time.monotonic()
    played(source)
    assert 0.29 < time.monotonic() - began_s < 2


def test_a_loop_goes_on_without_a_seam(tmp_path: Path, rows: NDArray[np.float32]) -> None:
    source = imu(write_csv(tmp_path / "walk.csv", rows[:20], np.arange(20) * 10), loop=True)
    source.open()
    samples = [sample for _ in range(6) for sample in source.read()]
    times_ns = np.concatenate([s.times_ns for s in samples if s.times_ns is not None])
    assert set(np.diff(times_ns)) == {10 * MS}
    assert len(times_ns) == 60


def test_a_silence_is_marked(tmp_path: Path, rows: NDArray[np.float32]) -> None:
    times = np.r_[0:100, 200:400] * 10
    samples = played(imu(write_csv(tmp_path / "walk.csv", rows, times)))
    marked = [s for s in samples if s.gap]
    assert [(s.start_ns - START_NS, s.gap) for s in marked] == [(2000 * MS, "silent for 1.01 s")]


def test_units_and_names_of_a_table_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("when;a;b;c;d;e;f\n0,5;1;0;0;9;0;0\n".replace("0,5", "0.5"))
    source = imu(
        path,
        header=["when", "ax", "ay", "az", "gx", "gy", "gz"],
        time={"column": "when", "unit": "s"},
        accel_unit="g",
        gyro_unit="dps",
    )
    (sample,) = played(source)
    np.testing.assert_allclose(sample.data[0, [0, 3]], [9.80665, np.pi / 20], rtol=1e-6)
    assert source.notes() == {"lines skipped": 1}  # its own header


def test_readings_that_cannot_be_are_left_out_and_counted(
    tmp_path: Path, rows: NDArray[np.float32]
) -> None:
    rows[5, 2], rows[9, 0], rows[11, 4] = np.nan, 1e6, -np.inf
    times = np.arange(300) * 10
    np.savez(tmp_path / "walk.npz", time_ms=times, acc_gyro=rows)
    for path in (tmp_path / "walk.npz", write_csv(tmp_path / "walk.csv", rows, times)):
        source = imu(path)
        data = np.concatenate([s.data for s in played(source)])
        assert data.shape == (297, 6)
        assert np.isfinite(data).all()
        assert source.notes() == {"implausible": 3}


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(SourceError) as caught:
        imu(path, **options).open()
    assert str(caught.value).startswith("stream 'wrist'")
    assert caught.value.fix
    return str(caught.value)


def test_a_broken_recording_is_refused_by_name(tmp_path: Path, rows: NDArray[np.float32]) -> None:
    path = tmp_path / "walk.npz"
    assert "there is no file" in refused(path)
    np.savez_compressed(path, time_ms=np.arange(300), acc_gyro=rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "walk.npz is not a whole NPZ file" in refused(path)
    path.write_bytes(b"not a zip at all")
    assert "not a whole NPZ" in refused(path)
    with path.open("wb") as file:
        np.save(file, rows)
    assert "not a whole NPZ" in refused(path)
    np.savez(path, time_ms=np.arange(300), acc_gyro=rows[:, :3])
    assert "(300, 3)" in refused(path)
    np.savez(path, time_ms=np.arange(299), acc_gyro=rows)
    assert "(299,)" in refused(path)
    np.savez(path, acc_gyro=rows)
    assert "holds acc_gyro of time_ms" in refused(path)
    np.savez(path, time_ms=np.arange(300)[::-1], acc_gyro=rows)
    assert "goes back in time at reading 2" in refused(path)
    np.savez(path, time_ms=np.arange(300), acc_gyro=np.array([{}] * 300, object))
    assert "not a whole NPZ" in refused(path)
    np.savez(path, time_ms=np.zeros(0, np.int64), acc_gyro=rows[:0])
    assert "holds no readings" in refused(path)


def test_a_table_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("ax,ay,az,gx,gy,gz\n0,0,9.8,0,0,0\n")
    assert "has no time column" in refused(path)
    path.write_text("time_ms,ax,ay,az\n0,0,0,9.8\n")
    assert "no column for gx, gy, gz" in refused(path)
    path.write_text("dear diary,\ntoday I walked\n")
    assert "holds no readings" in refused(path)
    path.write_bytes(b"")
    assert "holds no readings" in refused(path)
    path.write_bytes(bytes(range(256)) * 100)
    assert "holds no readings" in refused(path)


def test_a_table_cut_short_in_a_line_loses_that_line_alone(
    tmp_path: Path, rows: NDArray[np.float32]
) -> None:
    path = write_csv(tmp_path / "walk.csv", rows, np.arange(300) * 10)
    text = path.read_text()
    path.write_text(text[: text.rindex(",")])
    assert sum(len(s.data) for s in played(imu(path))) == 299
