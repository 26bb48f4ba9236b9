"""Lines of text with an IMU's readings: numbers in columns, label:value pairs, JSON objects."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from bindstream.sources.imu_columns import ColumnsOptions, Layout, layout
from bindstream.sources.imu_reading import Reading, plausible

LONGEST = 4096
"""Bytes of a line; a longer one is another device's, or the wrong baud rate."""
RELEARN = 20
"""So many lines in a row with another number of fields are how the device writes from now on."""
MOST_LOST = 1000
"""A sequence number that steps by more was corrupted, or the device began anew."""
LAST_NS = 1 << 62

_PAIR = re.compile(r"(?:^|(?<=[\s,;]))([A-Za-z_][\w .-]{0,40}?)\s*[:=]\s*([^\s,;]+)")


class TextParser:
    """A parser (see `bindstream.sources.imu_reading.ImuParser`).

    `counts`: "lines skipped" (banners, half lines), "bad sums", "implausible" (not finite, or
    beyond any sensor), "lost" (by the sequence number).

    Args:
        options: which column is what, and in which unit.
        whole: the first line is whole (a file); on a line, what was caught midway is not believed.
    """

    def __init__(self, options: ColumnsOptions, *, whole: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        self.problem = ""
        self._options = options
        self._whole = whole
        self._buffer = b""
        self._flooded = False  # in a line that is too long
        self._names = None if options.header == "auto" else options.header
        self._size = None if self._names is None else len(self._names)
        self._misfits = 0
        self._layout: tuple[tuple[str, ...] | int, Layout] | None = None
        self._stamp: float | None = None
        self._wrapped = 0
        self._seq: int | None = None
        self._lost = 0

    def push(self, data: bytes) -> list[Reading]:
        """Readings of the lines that end in `data`, oldest first."""
        *lines, rest = re.split(rb"[\r\n]", self._buffer + data)
        readings: list[Reading] = []
        for line in lines:
            long = self._flooded or len(line) > LONGEST
            if long:
                self._skip("lines skipped")
            elif (reading := self._line(line)) is not None:
                readings.append(reading)
            self._flooded, self._whole = False, True
        self._flooded = self._flooded or len(rest) > LONGEST
        self._buffer = b"" if self._flooded else rest
        return readings

    def _skip(self, why: str, problem: str = "") -> None:
        self.counts[why] += 1
        self.problem = problem or self.problem

    def _line(self, line: bytes) -> Reading | None:
        text = line.decode("utf-8", "replace").replace("\ufeff", "").strip()
        if not text:
            return None
        body = self._body(text)
        if body is None:
            return None
        fields = self._fields(body)
        if fields is None and self._names_columns(body):
            return None
        if fields is None or not self._whole:
            self._skip("lines skipped")
            return None
        return self._reading(*fields)

    def _body(self, text: str) -> str | None:
        """What is left of a line without its checksum and prefix; None if it is not to be read."""
        prefix = self._options.prefix
        if self._options.checksum == "nmea_xor":
            text, _, told = text.removeprefix("$").rpartition("*")
            if told.strip().upper() != f"{xor_sum(text):02X}":
                self._skip("bad sums", "no line ends with its checksum (*CK)")
                return None
            prefix = prefix.removeprefix("$")
        if not text.startswith(prefix):
            self._skip("lines skipped", f"no line begins with {self._options.prefix!r}")
            return None
        return text[len(prefix) :].strip(" \t,;")

    def _fields(self, body: str) -> tuple[tuple[str, ...] | int, list[float]] | None:
        """The line's names (or how many fields it has) and its numbers; None if not a reading."""
        if body.startswith("{"):
            return _json_fields(body)
        if pairs := _PAIR.findall(body):
            named = [(name.strip(), number) for name, n in pairs if (number := _number(n))]
            return tuple(name for name, _ in named), [number[0] for _, number in named]
        tokens = self._split(body)
        numbers = [number[0] for token in tokens if (number := _number(token))]
        if len(numbers) < len(tokens) or not self._fits(len(numbers)):
            return None
        return self._names or len(numbers), numbers

    def _split(self, body: str) -> list[str]:
        delimiter = self._options.delimiter
        if delimiter == "auto":
            delimiter = next((d for d in (",", ";", "\t") if d in body), " ")
        return body.split() if delimiter == " " else [t.strip() for t in body.split(delimiter)]

    def _names_columns(self, body: str) -> bool:
        """Whether the line is a header: names, among which there are channels."""
        tokens = self._split(body)
        if any(map(_number, tokens)) or self._options.header != "auto":
            return False
        if not layout(self._options, tokens).found:
            return False
        self._names, self._size, self._misfits = tuple(tokens), len(tokens), 0
        return True

    def _fits(self, size: int) -> bool:
        """Whether a line of so many fields is like the others; if there are others yet."""
        if self._size is None and self._whole:
            self._size = size
        self._misfits = 0 if size == self._size else self._misfits + 1
        if self._misfits >= RELEARN and self._options.header == "auto":
            self._names, self._size, self._misfits = None, size, 0
        return size == self._size

    def _reading(self, names: tuple[str, ...] | int, numbers: list[float]) -> Reading | None:
        if self._layout is None or self._layout[0] != names:
            self._layout = names, layout(self._options, names)
        found = self._layout[1]
        if found.problem:
            self._skip("lines skipped", found.problem)
            return None
        self._follow(found, numbers)
        values = tuple(numbers[at] * factor for at, factor in found.axes)
        time_ns = self._time_ns(found, numbers)
        if not plausible(values) or (time_ns is None and found.time is not None):
            self._lost += 1
            self._skip("implausible")
            return None
        self.problem = ""
        lost, self._lost = self._lost, 0
        return Reading(values, time_ns, lost)

    def _follow(self, found: Layout, numbers: list[float]) -> None:
        """Count the readings that the sequence number stepped over."""
        if found.seq is None or not abs(numbers[found.seq]) < LAST_NS:
            return
        seq, last = int(numbers[found.seq]), self._seq
        self._seq = seq
        if last is not None and 1 < seq - last <= MOST_LOST:
            self.counts["lost"] += seq - last - 1
            self._lost += seq - last - 1

    def _time_ns(self, found: Layout, numbers: list[float]) -> int | None:
        """The device's time, unwrapped; None if the line tells none that can be."""
        if found.time is None:
            return None
        at, unit_ns = found.time
        stamp = numbers[at]
        if not abs(stamp * unit_ns) < LAST_NS:
            return None
        if found.wrap and self._stamp is not None and self._stamp - stamp > found.wrap / 2:
            self._wrapped += found.wrap
        self._stamp = stamp
        whole = int(stamp)  # apart, since UTC nanoseconds do not fit a float exactly
        return (whole + self._wrapped) * unit_ns + round((stamp - whole) * unit_ns)


def xor_sum(body: str) -> int:
    """NMEA 0183's checksum: all bytes between `$` and `*`, exclusive-ored."""
    total = 0
    for byte in body.encode("utf-8", "replace"):
        total ^= byte
    return total


def _number(text: str) -> tuple[float] | None:
    try:
        return (float(text),)
    except ValueError:
        return None


def _json_fields(body: str) -> tuple[tuple[str, ...], list[float]] | None:
    try:
        fields = dict(_flat("", json.loads(body)))
    except (ValueError, RecursionError, OverflowError):
        return None
    return tuple(fields), list(fields.values())


def _flat(name: str, value: Any) -> list[tuple[str, float]]:
    """Numbers within objects and lists, by the path of their keys."""
    if isinstance(value, bool):
        return []
    if isinstance(value, (int, float)):
        return [(name, float(value))]
    items: list[tuple[Any, Any]] = []
    if isinstance(value, (dict, list)):
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
    prefix = f"{name}." if name else ""
    return [pair for key, inner in items for pair in _flat(f"{prefix}{key}", inner)]
