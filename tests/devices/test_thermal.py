"""Thermal cameras over real connections: exact counts, true times, losses."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bindstream.errors import SourceError
from bindstream.records import Sample
from bindstream.sources.frames import SILENCE_S
from bindstream.sources.reader import Backoff, Reader
from bindstream.sources.thermal import Thermal, ThermalOptions
from tests.devices.nut_server import ROOM, NutServer
from tests.devices.streams import context, read_some, read_until_lost, take_some


def thermal(url: str) -> Thermal:
    options = ThermalOptions(kind="thermal", url=url, celsius="lepton")
    return Thermal(options, context("thermal", "roof"))


def counts(sample: Sample) -> np.ndarray:
    return np.round((sample.data.astype(np.float64) + 273.15) * 100).astype(np.uint16)


def captured_ns(sample: Sample) -> int:
    return int.from_bytes(counts(sample)[0, :4].astype("<u2").tobytes(), "little")


def test_live_frames_are_exact_and_carry_their_capture_time() -> None:
    with NutServer(fps=30) as server:
        source = thermal(server.url)
        source.open()
        try:
            samples = read_some(source, 30)
        finally:
            source.close()
    for sample in samples:
        assert (sample.data.dtype, sample.data.shape) == (np.float32, (120, 160))
        assert (counts(sample)[1:] == ROOM).all()
        assert sample.data[5, 5] == np.float32(22.0)
    off_ms = np.array([(s.start_ns - captured_ns(s)) / 1e6 for s in samples])
    print(f"off {np.median(off_ms):.2f} ms, within {np.ptp(off_ms):.2f} ms")
    assert abs(np.median(off_ms)) < 50
    assert np.ptp(off_ms[5:]) < 50, "jitter of arrival and decoding is not in the capture times"
    assert (np.abs(off_ms) <= samples[0].uncertainty_ns / 1e6).all()


def test_server_that_goes_and_comes_back_leaves_a_marked_gap() -> None:
    with NutServer() as server:
        backoff = Backoff(first_s=0.2, most_s=0.5)
        reader = Reader(lambda: thermal(server.url), stale_s=2.0, backoff=backoff).start()
        try:
            assert take_some(reader, 3)[0].gap == ""
            server.stop()
            time.sleep(1)
            reader.take(0)
            server.start()
            back = take_some(reader, 3)
        finally:
            reader.stop()
            assert reader.join(10)
    assert server.url in back[0].gap
    assert back[1].gap == ""


def test_frozen_server_is_an_error_in_time() -> None:
    with NutServer() as server:
        source = thermal(server.url)
        source.open()
        read_some(source, 3)
        server.frozen.set()
        error, after_s = read_until_lost(source)
        source.close()
    assert "no answer in time" in str(error)
    assert after_s < SILENCE_S + 1.5


def test_missing_server_and_device_are_named() -> None:
    with NutServer() as server:
        url = server.url
    with pytest.raises(SourceError, match=f"{url} cannot be opened .Connection refused"):
        thermal(url).open()
    options = ThermalOptions(kind="thermal", device=98)
    with pytest.raises(SourceError, match="stream 'roof': there is no device /dev/video98"):
        Thermal(options, context("thermal", "roof")).open()
