"""IMU text: separators, headers, labels, JSON, checksums, time, sequence, units; any bytes."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.sources.imu_columns import ColumnsOptions
from bindstream.sources.imu_reading import Reading
from bindstream.sources.imu_text import LONGEST, RELEARN, TextParser

VALUES = (0.5, -1.0, 9.75, 0.25, -0.5, 0.125)
LINE = b"0.5,-1.0,9.75,0.25,-0.5,0.125\n"


def parser(*, whole: bool = True, **options: Any) -> TextParser:
    return TextParser(ColumnsOptions.model_validate(options), whole=whole)


def values(data: bytes, **options: Any) -> list[tuple[float, ...]]:
    return [reading.values for reading in parser(**options).push(data)]


@pytest.mark.parametrize(
    "data",
    [
        LINE,
        b"0.5\t-1.0\t9.75\t0.25\t-0.5\t0.125\r\n",
        b"0.5 -1.0  9.75 0.25 -0.5 0.125\r",
        b"0.5; -1.0; 9.75; 0.25; -0.5; 0.125\n",
        b"0.5,-1.0,9.75,0.25,-0.5,0.125,\n",
        b"ax,ay,az,gx,gy,gz\n" + LINE,
        b"gyroX,gyroY,gyroZ,accX,accY,accZ\n0.25,-0.5,0.125,0.5,-1.0,9.75\n",
        b"Acc X (m/s^2)\tAcc Y (m/s^2)\tAcc Z (m/s^2)\tGyro X\tGyro Y\tGyro Z\n"
        b"0.5\t-1.0\t9.75\t0.25\t-0.5\t0.125\n",
        b"ax:0.5,ay:-1.0,az:9.75,gx:0.25,gy:-0.5,gz:0.125\n",
        b"gx: 0.25 gy: -0.5 gz: 0.125 ax: 0.5 ay: -1.0 az: 9.75\n",
        b"ax=0.5\tay=-1.0\taz=9.75\tgx=0.25\tgy=-0.5\tgz=0.125\n",
        b'{"accel": {"x": 0.5, "y": -1, "z": 9.75}, "gyro": [0.25, -0.5, 0.125], "ok": true}\n',
        b'{"ax":0.5,"ay":-1,"az":9.75,"gx":0.25,"gy":-0.5,"gz":0.125,"unit":"si"}\n',
    ],
)
def test_common_ways_of_writing_need_no_configuration(data: bytes) -> None:
    assert values(data) == [VALUES]


@pytest.mark.parametrize(
    ("options", "accel", "gyro"),
    [
        ({}, 1.0, 1.0),
        ({"accel_unit": "g", "gyro_unit": "dps"}, 9.80665, math.pi / 180),
        ({"accel_unit": "mg"}, 0.00980665, 1.0),
        (
            {"accel_unit": "raw", "lsb_per_g": 2048, "gyro_unit": "raw", "lsb_per_dps": 16.4},
            9.80665 / 2048,
            math.pi / 180 / 16.4,
        ),
    ],
)
def test_units_become_si(options: dict[str, Any], accel: float, gyro: float) -> None:
    (got,) = values(LINE, **options)
    factors = [accel] * 3 + [gyro] * 3
    assert got == pytest.approx([v * f for v, f in zip(VALUES, factors, strict=True)])


def test_columns_say_where_a_channel_is_and_which_way_it_points() -> None:
    columns = {
        "ax": {"name": "ay", "sign": -1},
        "ay": "ax",
        "az": {"index": 2, "scale": 2},
        "gx": 3,
        "gy": 4,
        "gz": 5,
    }
    (got,) = values(b"ax,ay,az,p,q,r\n" + LINE, columns=columns)
    assert got == (1.0, 0.5, 19.5, 0.25, -0.5, 0.125)


def test_a_header_may_be_given_and_time_and_sequence_left_out_of_the_order() -> None:
    header = ["seq", "t", "ax", "ay", "az", "gx", "gy", "gz"]
    told = parser(header=header, time={"column": "t", "unit": "ms"}, seq="seq")
    (reading,) = told.push(b"7,1500," + LINE)
    assert reading == Reading(VALUES, 1_500_000_000, 0)
    by_index = parser(time={"column": 1, "unit": "ms"}, seq=0)
    assert by_index.push(b"7,1500," + LINE) == [reading]


def test_time_columns_that_name_their_unit_need_no_mention() -> None:
    for name, unit_ns in (("time_us", 1000), ("timestamp_ms", 10**6), ("t_s", 10**9)):
        (reading,) = parser().push(f"{name},ax,ay,az,gx,gy,gz\n3,".encode() + LINE)
        assert reading.time_ns == 3 * unit_ns


def test_a_counter_that_starts_again_goes_on() -> None:
    told = parser(time={"column": 0, "unit": "us", "wrap_bits": 32})
    stamps = [2**32 - 5000, 2**32 - 1, 4999, 10_000]
    readings = told.push(b"".join(b"%d," % t + LINE for t in stamps))
    times = [r.time_ns for r in readings if r.time_ns is not None]
    assert [t - times[0] for t in times] == [us * 1000 for us in (0, 4999, 9999, 15_000)]


def test_the_sequence_number_counts_what_was_lost() -> None:
    told = parser(seq=0)
    readings = told.push(b"".join(b"%d," % n + LINE for n in (254, 255, 0, 1, 5, 6)))
    assert [r.lost for r in readings] == [0, 0, 0, 0, 3, 0]
    assert told.counts == {"lost": 3}


def test_nmea_checksums_are_held_to() -> None:
    body = b"IMU," + LINE.strip()
    total = functools.reduce(operator.xor, body)
    told = parser(prefix="$IMU,", checksum="nmea_xor")
    assert [r.values for r in told.push(b"$%s*%02x\r\n" % (body, total))] == [VALUES]
    assert told.push(b"$%s*%02X\r\n" % (body, total ^ 1) + b"$" + body + b"\n" + LINE) == []
    assert told.counts == {"bad sums": 3}
    assert "checksum" in told.problem


def test_only_lines_with_the_prefix_are_read() -> None:
    told = parser(prefix="RAW ")
    assert len(told.push(b"CAL " + LINE + b"RAW " + LINE)) == 1
    assert told.counts == {"lines skipped": 1}


def test_boot_banners_and_lines_of_another_size_are_counted_and_skipped() -> None:
    told = parser()
    data = b"MPU6050 ready\n" + LINE + b"calibrating... 3 2 1\n1,2,3\n1,2,3,4,5,6,7\n\n" + LINE
    assert len(told.push(data)) == 2
    assert told.counts == {"lines skipped": 4}


def test_a_line_caught_midway_is_not_believed() -> None:
    told = parser(whole=False)
    assert [r.values for r in told.push(b"75,0.25,1,2,3,4\n" + LINE)] == [VALUES]


def test_a_device_that_begins_to_write_more_columns_is_followed() -> None:
    told = parser(columns={axis: i for i, axis in enumerate(("ax", "ay", "az", "gx", "gy", "gz"))})
    longer = LINE.replace(b"\n", b",17\n")
    assert len(told.push(LINE * 3 + longer * (RELEARN + 4))) == 3 + 5


@pytest.mark.parametrize("bad", [b"nan", b"inf", b"1e30", b"-400", b"1e999"])
def test_values_that_cannot_be_are_rejected_and_counted(bad: bytes) -> None:
    told = parser()
    assert told.push(LINE.replace(b"9.75", bad)) == []
    assert told.counts == {"implausible": 1}
    assert told.push(b'{"ax":NaN,"ay":0,"az":0,"gx":0,"gy":0,"gz":0}\n') == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"ax,ay,az\n1,2,3\n", "no column for gx, gy, gz (a line has ax, ay, az)"),
        (b'{"ax":1,"ay":2,"az":3}\n', "a sensor without a gyroscope cannot be used"),
        (b"1,2,3,4,5,6,7,8,9\n", "no column for ax, ay, az, gx, gy, gz (a line has 9 numbers)"),
        (b"accX,accY,accZ,gx,gy,spin\n1,2,3,4,5,6\n", "no column for gz"),
    ],
)
def test_missing_channels_are_named(data: bytes, problem: str) -> None:
    told = parser()
    assert told.push(data) == []
    assert problem in told.problem
    told.push(b'{"ax":1,"ay":2,"az":3,"gx":1,"gy":1,"gz":1}\n')
    assert told.problem == ""


def test_a_line_without_end_is_dropped_whole() -> None:
    told = parser()
    assert told.push(b"1" * (3 * LONGEST)) == []
    assert told.push(b"," + LINE + LINE) == [Reading(VALUES)]
    assert told.counts == {"lines skipped": 1}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"header": ["ax", "ay", "az"]}, "gx, gy, gz"),
        ({"accel_unit": "raw"}, "lsb_per_g"),
        ({"lsb_per_dps": 131}, "gyro_unit"),
        ({"columns": {"ax": {"name": "a", "index": 0}}}, "name or its index"),
        ({"columns": {"mx": 0}}, "mx"),
        ({"time": {"column": "t"}}, "unit"),
        ({"header": ["ax", "ay", "az", "gx", "gy", "gz"], "seq": "n"}, "seq ('n')"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        ColumnsOptions.model_validate(options)
    assert words in str(caught.value)


CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"time": {"column": 0, "unit": "us", "wrap_bits": 32}, "seq": 1},
    {"prefix": "$IMU,", "checksum": "nmea_xor"},
    {"columns": {axis: {"name": axis} for axis in ("ax", "ay", "az", "gx", "gy", "gz")}},
    {"delimiter": ",", "time": {"column": "t", "unit": "s"}},
]
bits = st.one_of(
    st.binary(max_size=30),
    st.text('0123456789.,-+eE nainf\t;:=\r\n{}[]"axyzgt$*_', max_size=60).map(str.encode),
    st.sampled_from(
        [LINE, b"\n", b"t,ax,ay,az,gx,gy,gz\n", b"1,2," + LINE, b'{"ax":1', b"[" * 3000, b"9" * 400]
    ),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(bits, max_size=10),
    st.integers(1, 50),
    st.sampled_from(CONFIGURATIONS),
    st.booleans(),
)
def test_any_bytes_cut_anyhow_give_the_same_readings(
    parts: list[bytes], size: int, options: dict[str, Any], whole: bool
) -> None:
    data = b"".join(parts) + b"\n"
    at_once, in_pieces = parser(whole=whole, **options), parser(whole=whole, **options)
    expected = at_once.push(data)
    got: list[Reading] = []
    for at in range(0, len(data), size):
        got += in_pieces.push(data[at : at + size])
    assert got == expected
    assert in_pieces.counts == at_once.counts
    for reading in got:
        assert len(reading.values) == 6
        assert all(math.isfinite(v) and abs(v) <= 350 for v in reading.values)
