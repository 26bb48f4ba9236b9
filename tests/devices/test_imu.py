"""Inertial sensors over real lines: pseudo-terminals, TCP, and ser2net (RFC 2217)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bindstream.clocks.host import Clock
from bindstream.errors import SourceError
from bindstream.records import Sample
from bindstream.sources import Source, SourceContext
from bindstream.sources.imu import ImuOptions, imu_source
from bindstream.sources.reader import Backoff, Reader
from bindstream.sources.witmotion import ACCEL_STEP, GYRO_STEP, SETUP
from bindstream.windows import Windower
from tests.devices.imu_bytes import TIMED, Rows, csv, witmotion
from tests.devices.serial_line import SerialLine
from tests.system import require

pytest.importorskip("serial")
RECORDING = Path(__file__).parents[3] / "shared" / "data" / "imu" / "s01_01_phone.npz"
CLOCK = Clock.read()
RATE_HZ = 200.0


def imu(port: object, **options: object) -> Source:
    given = {"kind": "imu", "port": str(port), **options}
    return imu_source(ImuOptions.model_validate(given), SourceContext("wrist", "imu", CLOCK, 0))


@pytest.fixture
def rows() -> Rows:
    """Three seconds of motion at 200 Hz: (600, 6) m/s² and rad/s."""
    if RECORDING.is_file():
        return np.asarray(np.load(RECORDING)["acc_gyro"][200:800])
    rng = np.random.default_rng(5)
    walk = rng.normal(0, 0.3, (600, 6)).cumsum(axis=0) * 0.1
    return (walk + np.array([0, 0, 9.81, 0, 0, 0])).astype(np.float32)


def read_until_lost(source: Source, within_s: float = 15.0) -> tuple[list[Sample], SourceError]:
    until_s = time.monotonic() + within_s
    samples: list[Sample] = []
    while time.monotonic() < until_s:
        try:
            samples += source.read()
        except SourceError as error:
            return samples, error
    raise AssertionError(f"not lost within {within_s} s")


def joined(samples: list[Sample]) -> tuple[NDArray[np.int64], Rows]:
    times = [s.times_ns for s in samples if s.times_ns is not None]
    return np.concatenate(times), np.concatenate([s.data for s in samples])


def aligned(sent: Rows, got: Rows) -> int:
    """Index in `sent` of the first row of `got`."""
    return int(np.abs(sent - got[0]).sum(axis=1).argmin())


def test_witmotion_frames_arrive_whole_and_evenly_timed(
    serial_line: SerialLine, rows: Rows
) -> None:
    source = imu(serial_line.path, format="witmotion")
    feeding = serial_line.feed(witmotion(rows), RATE_HZ)
    source.open()
    samples, error = read_until_lost(source)
    feeding.join()
    times_ns, got = joined(samples)
    first = aligned(rows, got)
    assert first < 20
    assert got.shape == (len(rows) - first, 6)
    assert np.abs(got[:, :3] - rows[first:, :3]).max() <= ACCEL_STEP
    assert np.abs(got[:, 3:] - rows[first:, 3:]).max() <= GYRO_STEP
    assert [s.gap for s in samples] == [""] * len(samples)
    assert abs(np.diff(times_ns).mean() / 5e6 - 1) < 0.02
    assert (np.diff(times_ns) > 0).all()
    assert all(s.start_ns == s.times_ns[0] and s.end_ns == s.times_ns[-1] for s in samples)  # type: ignore[index]
    assert "nothing came from" in error.what


def test_a_devices_own_time_is_laid_on_the_hosts(serial_line: SerialLine, rows: Rows) -> None:
    # The counter starts again midway, and the crystal is 300 ppm fast.
    period_ns = 5e6 / 1.0003
    began_ns: list[float] = []

    def packets() -> Iterator[bytes]:
        for n, packet in enumerate(csv(rows, first_us=2**32 - 1_000_000)):
            began_ns.append(CLOCK.now_ns() - n * period_ns)
            yield packet

    source = imu(serial_line.path, **TIMED)
    serial_line.feed(packets(), 1e9 / period_ns)
    source.open()
    samples, _ = read_until_lost(source)
    times_ns, got = joined(samples)
    first = aligned(rows, got)
    assert len(got) == len(rows) - first
    true_ns = min(began_ns) + np.arange(first, len(rows)) * period_ns
    assert np.abs(times_ns - true_ns).max() < 20e6
    assert np.abs(np.diff(times_ns) - period_ns).max() < 1e6
    assert [s.gap for s in samples] == [""] * len(samples)


def test_windows_of_a_live_sensor_are_whole(serial_line: SerialLine, rows: Rows) -> None:
    serial_line.feed(witmotion(rows), RATE_HZ)
    source = imu(serial_line.path, format="witmotion")
    source.open()
    windower = Windower("wrist", "imu", window_s=1.0, hop_s=0.5)
    windows = []
    until_s = time.monotonic() + 2.2
    while time.monotonic() < until_s:
        for sample in source.read():
            windows += windower.push(sample)
        windows += windower.due(CLOCK.now_ns())
    source.close()
    assert windows
    for window in windows[1:]:
        assert window.coverage == 1
        assert window.times_ns is not None
        assert len(window.times_ns) >= 190


def test_corrupted_bytes_cost_only_their_own_readings(serial_line: SerialLine, rows: Rows) -> None:
    rng = np.random.default_rng(3)
    packets = witmotion(rows)
    broken = rng.choice(np.arange(20, len(packets)), 30, replace=False)
    for n in broken:
        spoilt = bytearray(packets[n])
        spoilt[rng.integers(len(spoilt))] ^= 1 << rng.integers(8)
        packets[n] = bytes(spoilt)
    source = imu(serial_line.path, format="witmotion")
    serial_line.feed(packets, RATE_HZ)
    source.open()
    samples, _ = read_until_lost(source)
    times_ns, got = joined(samples)
    first = aligned(rows, got)
    kept = np.setdiff1d(np.arange(first, len(rows)), broken)
    assert abs(len(got) - len(kept)) <= 1  # one flip may make a frame of another kind
    assert (np.abs(got[:, None, :3] - rows[None, kept, :3]).max(axis=2).min(axis=1) < 0.02).all()
    assert source.notes()["bad sums"] >= 20
    assert (np.diff(times_ns) > 0).all()
    assert abs((times_ns[-1] - times_ns[0]) / 1e9 - (len(rows) - first) / RATE_HZ) < 0.1


def test_an_unplugged_sensor_is_opened_again_and_the_hole_is_marked(
    serial_line: SerialLine, rows: Rows
) -> None:
    packets = witmotion(np.tile(rows, (10, 1)))
    serial_line.feed(packets, RATE_HZ)
    reader = Reader(
        lambda: imu(serial_line.path, format="witmotion"), backoff=Backoff(0.1, 0.3)
    ).start()
    try:
        before = take(reader, lambda got: len(got) > 10)
        serial_line.unplug()
        unplugged_ns = CLOCK.now_ns()
        until(lambda: reader.health().losses > 1)
        assert "imu0" in reader.health().detail
        before += reader.take(0)
        serial_line.plug()
        plugged_ns = CLOCK.now_ns()
        after = take(reader, lambda got: len(got) > 10)
    finally:
        reader.stop()
        assert reader.join(10)
    assert "was lost" in after[0].gap
    assert before[-1].end_ns < unplugged_ns + 50e6
    assert after[0].start_ns > plugged_ns - 50e6


def test_readings_that_came_before_the_plug_was_pulled_are_handed_out(
    serial_line: SerialLine, rows: Rows
) -> None:
    source = imu(serial_line.path, format="witmotion")
    feeding = serial_line.feed(witmotion(rows[:60]), RATE_HZ)  # less than the clock's settling
    source.open()
    feeding.join()
    time.sleep(0.1)
    threading.Timer(0.3, serial_line.unplug).start()
    samples, error = read_until_lost(source)
    assert len(joined(samples)[0]) >= 55
    assert "was lost" in error.what


def test_set_up_asks_for_200_hz_of_what_is_needed(serial_line: SerialLine, rows: Rows) -> None:
    source = imu(serial_line.path, format="witmotion", setup=True)
    opening = threading.Thread(target=source.open)
    opening.start()
    assert serial_line.received() == b"".join(SETUP)
    serial_line.feed(witmotion(rows), RATE_HZ)
    opening.join(10)
    until(source.read)
    source.close()


@pytest.mark.parametrize(
    ("noise", "problem"),
    [
        (b"", "nothing came from"),
        (bytes(range(128, 256)), "no reading in them"),
        (b"MPU6050 not found\r\n", "no reading in them"),
        (b"1.0,2.0,3.0\r\n", "no column for ax, ay, az, gx, gy, gz"),
        (b'{"ax":1,"ay":2,"az":9}\n', "no column for gx, gy, gz"),
    ],
)
def test_a_line_without_readings_says_what_is_wrong(
    serial_line: SerialLine, noise: bytes, problem: str
) -> None:
    serial_line.feed([noise] * 400, 100)
    source = imu(serial_line.path)
    began_s = time.monotonic()
    with pytest.raises(SourceError, match=problem) as caught:
        source.open()
    source.close()
    assert time.monotonic() - began_s < 5
    assert "stream 'wrist'" in str(caught.value)
    assert caught.value.fix


def test_a_line_that_turns_to_garbage_is_lost_with_a_hint(
    serial_line: SerialLine, rows: Rows
) -> None:
    garbage = [bytes([200 + n % 50]) * 20 for n in range(600)]
    serial_line.feed([*csv(rows[:200]), *garbage], RATE_HZ)
    source = imu(serial_line.path, **TIMED)
    source.open()
    _, error = read_until_lost(source)
    source.close()
    assert "no reading in them" in error.what
    assert "baud" in error.fix


def test_a_time_column_read_in_the_wrong_unit_is_told(serial_line: SerialLine, rows: Rows) -> None:
    serial_line.feed(csv(rows), RATE_HZ)
    source = imu(serial_line.path, **{**TIMED, "time": {"column": "t", "unit": "ms"}})
    source.open()
    _, error = read_until_lost(source)
    source.close()
    assert "time.unit" in error.fix


def test_a_port_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"stream 'wrist'.*gone0 cannot be opened"):
        imu(tmp_path / "gone0").open()


def test_a_port_that_is_taken_is_told(serial_line: SerialLine, rows: Rows) -> None:
    serial_line.feed(witmotion(rows), RATE_HZ)
    first = imu(serial_line.path, format="witmotion")
    first.open()
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        imu(serial_line.path, format="witmotion").open()
    first.close()
    assert "Another program" in caught.value.fix


def test_a_usb_serial_number_that_is_not_plugged_in_is_named() -> None:
    source = imu_source(
        ImuOptions(kind="imu", serial="FT0XYZ"), SourceContext("wrist", "imu", CLOCK, 0)
    )
    with pytest.raises(SourceError, match="'FT0XYZ'"):
        source.open()


@contextmanager
def tcp_sensor(packets: Iterable[bytes], rate_hz: float) -> Iterator[int]:
    """A server that sends packets to one client and hangs up; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                began_s = time.monotonic()
                for n, packet in enumerate(packets):
                    time.sleep(max(began_s + n / rate_hz - time.monotonic(), 0))
                    client.sendall(packet)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_a_tcp_sensor_is_read_until_it_hangs_up(rows: Rows) -> None:
    with tcp_sensor(csv(rows), RATE_HZ) as port:
        source = imu(f"socket://127.0.0.1:{port}", **TIMED)
        source.open()
        samples, error = read_until_lost(source)
        source.close()
    times_ns, got = joined(samples)
    np.testing.assert_allclose(got, rows[1:], atol=1e-5)  # the first may have been caught midway
    assert np.abs(np.diff(times_ns) - 5e6).max() < 1e6
    assert "closed" in error.what


def test_nobody_at_an_address_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceError, match=f"socket://127.0.0.1:{port} cannot be opened"):
        imu(f"socket://127.0.0.1:{port}").open()


def test_a_sensor_behind_ser2net_is_read(
    serial_line: SerialLine, rows: Rows, tmp_path: Path
) -> None:
    require("ser2net", shutil.which("ser2net") is not None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = tmp_path / "ser2net.yaml"
    settings.write_text(
        "connection: &imu\n"
        f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n"
        f"  connector: serialdev,{serial_line.path.resolve()},115200n81,local\n"
        "  options:\n    chardelay: false\n"
    )
    bridge = subprocess.Popen(["ser2net", "-n", "-c", str(settings), "-P", str(tmp_path / "pid")])
    try:
        until(lambda: _answers(port))
        serial_line.feed(witmotion(np.tile(rows, (3, 1))), RATE_HZ)
        source = imu(f"rfc2217://127.0.0.1:{port}?ign_set_control", format="witmotion")
        source.open()
        samples: list[Sample] = []
        until(lambda: samples.extend(source.read()) or sum(len(s.data) for s in samples) > 300)
        source.close()
    finally:
        bridge.kill()
        bridge.wait(10)
    times_ns, got = joined(samples)
    nearest = np.abs(got[:, None, :3] - rows[None, :, :3]).max(axis=2).min(axis=1)
    assert nearest.max() <= ACCEL_STEP
    assert abs(np.median(np.diff(times_ns)) / 5e6 - 1) < 0.1


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def take(
    reader: Reader, enough: Callable[[list[Sample]], bool], within_s: float = 10.0
) -> list[Sample]:
    samples: list[Sample] = []
    until(lambda: samples.extend(reader.take(0.05)) or enough(samples), within_s)
    return samples


def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "did not come true in time"
        time.sleep(0.02)
