"""Inertial sensors: serial and network lines, as text or WitMotion frames; recorded files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from bindstream.clocks.device import DeviceClock, Placed
from bindstream.errors import SourceError
from bindstream.records import ModalityName, Sample
from bindstream.sources import SourceContext
from bindstream.sources.frames import WAIT_S, lost
from bindstream.sources.imu_columns import ColumnsOptions
from bindstream.sources.imu_file import ImuFile
from bindstream.sources.imu_reading import ImuParser, Reading
from bindstream.sources.imu_text import TextParser
from bindstream.sources.lines import Line, find_port, open_line
from bindstream.sources.witmotion import SETUP, SETUP_BAUD, WitMotionParser

FIRST_S = 4.0
"""Opening a port restarts many boards: they take so long to send a first reading."""
SILENCE_S = 1.5
"""A line without readings for so long is lost: before a reader gives it up without knowing why."""
BATCH_S = 0.03
"""Readings that come within so long make one sample."""
WRONG_UNIT = 30
"""A device's clock that runs faster or slower by this factor is read in the wrong unit."""
LEAST_UNCERTAINTY_NS = 1_000_000  # what USB's frames and the sensor's own filter take
NETWORK_LATENESS_S = 0.5


class ImuOptions(ColumnsOptions):
    """Exactly one of port, serial and file says where readings come from."""

    modality: ClassVar[ModalityName] = "imu"

    kind: Literal["imu"]
    port: str | None = Field(
        default=None,
        min_length=1,
        description="/dev/ttyUSB0, socket://HOST:PORT or rfc2217://HOST:PORT",
    )
    serial: str | None = Field(
        default=None, min_length=1, description="serial number of a USB device, on any port"
    )
    file: Path | None = Field(
        default=None,
        description="a recording: CSV with a time column, or NPZ with time_ms or time_ns and "
        "acc_gyro (N, 6) in m/s² and rad/s",
    )
    baud: int = Field(
        default=115200, ge=300, le=12_000_000, description="bits a second of a serial line"
    )
    format: Literal["text", "witmotion"] = Field(
        default="text", description="text: lines of numbers or JSON; witmotion: its binary frames"
    )
    setup: bool = Field(
        default=False, description="witmotion: ask for 200 Hz of accelerometer and gyroscope alone"
    )

    @model_validator(mode="before")
    @classmethod
    def _network_lateness(cls, values: Any) -> Any:
        """Networks and their bridges bunch bytes up for longer than a cable does."""
        if not isinstance(values, dict) or values.get("lateness_s") is not None:
            return values
        remote = "://" in str(values.get("port") or "")
        return {**values, "lateness_s": NETWORK_LATENESS_S} if remote else values

    @model_validator(mode="after")
    def _consistent(self) -> ImuOptions:
        given = [name for name in ("port", "serial", "file") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of port, serial, file; {found} is given")
        if self.file is not None and self.format != "text":
            raise ValueError("a recording is CSV or NPZ: leave format out")
        if self.setup and (self.format != "witmotion"):
            raise ValueError("setup goes with format: witmotion")
        if self.setup and self.baud < SETUP_BAUD:
            raise ValueError(
                f"200 Hz do not fit through {self.baud} baud: set the sensor to 115200 baud first"
            )
        return self


def imu_source(options: ImuOptions, context: SourceContext) -> ImuFile | ImuLine:
    """Samples of some readings each: (n, 6) float32 m/s² and rad/s, with a time for each."""
    if options.file is not None:
        return ImuFile(context, options.file, options)
    return ImuLine(context, options)


def device_clock(*, timed: bool) -> DeviceClock[Any]:
    """The clock of a device that tells its own time, ns, or of one whose readings are counted."""
    if timed:
        return DeviceClock(tick_ns=1.0, window_s=15, late_s=0.5)
    # A count loses its place with every lost reading, so it looks less far back.
    return DeviceClock(tick_ns=None, window_s=5, late_s=0.1, settle_s=1.0)


class ImuLine:
    """A live IMU. Times are the device's own where it sends them, laid on the host's; else those of
    readings that come at an even rate, as measured. See `bindstream.clocks.device`."""

    recorded = False

    def __init__(self, context: SourceContext, options: ImuOptions) -> None:
        self._context = context
        self._options = options
        self._line: Line | None = None
        self._lost: SourceError | None = None
        self._begin()

    def _begin(self) -> None:
        text = self._options.format == "text"
        self._parser: ImuParser = TextParser(self._options) if text else WitMotionParser()
        self._clock: DeviceClock[Reading] | None = None
        self._timed = False  # the device tells times
        self._count = 0
        self._placed: list[Placed[Reading]] = []
        self._bytes = 0
        self._heard_s = time.monotonic()

    def open(self) -> None:
        self.close()
        self._begin()
        options = self._options
        port = options.port or find_port(self._context, options.serial or "")
        self._line = open_line(self._context, port, options.baud)
        if options.setup:
            self._line.write(*SETUP)
        began_s = self._heard_s = time.monotonic()
        while self._clock is None:
            self._receive(self._line)
            if time.monotonic() - began_s > FIRST_S:
                raise self._unheard(FIRST_S)

    def read(self) -> list[Sample]:
        """Readings as they come in, a sample every 30 ms; blocks for at most about 0.5 s.

        Raises:
            SourceError: the line is gone, silent, or holds nothing that can be read.
        """
        if self._lost is not None or self._line is None:
            raise self._lost or lost(self._context, "the sensor is not open.", "Open it first.")
        began_s = time.monotonic()
        until_s = began_s + WAIT_S
        try:
            while time.monotonic() < until_s:
                self._receive(self._line)
                if self._placed:
                    until_s = min(until_s, began_s + BATCH_S)
                elif time.monotonic() - self._heard_s > SILENCE_S:
                    raise self._unheard(SILENCE_S)
        except SourceError as error:
            if self._clock is not None:
                self._placed += self._clock.flush()
            if not self._placed:
                raise
            self._lost = error  # once what came before it has been handed out
        return self._samples()

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = self._lost = None

    def notes(self) -> dict[str, int]:
        """Counts of what was skipped, by reason: see the parsers; "misplaced": impossible times;
        "jumps": how often the device's clock was set or began anew, or readings were lost."""
        clock = self._clock
        placing = {"misplaced": clock.dropped, "jumps": clock.jumps} if clock else {}
        return {**self._parser.counts, **{name: n for name, n in placing.items() if n}}

    def _receive(self, line: Line) -> None:
        data = line.read()
        arrival_ns = self._context.clock.now_ns()
        self._bytes += len(data)
        for reading in self._parser.push(data):
            self._heard_s = time.monotonic()
            self._bytes = 0
            self._place(reading, arrival_ns)

    def _place(self, reading: Reading, arrival_ns: int) -> None:
        timed = reading.time_ns is not None
        if self._clock is None:
            self._timed = timed
            self._clock = device_clock(timed=timed)
        if timed != self._timed:
            raise lost(self._context, "the columns changed midway.", "It is opened again.")
        self._count += 1 + reading.lost
        tick = self._count if reading.time_ns is None else reading.time_ns
        self._placed += self._clock.place(tick, arrival_ns, reading)
        rate = self._clock.first_slope
        if timed and rate is not None and not 1 / WRONG_UNIT < rate < WRONG_UNIT:
            raise lost(
                self._context,
                f"a second of the sensor's time column takes {rate:.3g} s.",
                "Correct `time.unit`.",
            )

    def _samples(self) -> list[Sample]:
        """What was placed, cut where readings are missing."""
        placed, self._placed = self._placed, []
        starts = [i for i, item in enumerate(placed) if item.gap and i]
        bounds = zip([0, *starts], [*starts, len(placed)], strict=True)
        return [self._sample(placed[a:b]) for a, b in bounds if a < b]

    def _sample(self, placed: list[Placed[Reading]]) -> Sample:
        assert self._clock is not None
        times_ns = np.array([item.host_ns for item in placed], np.int64)
        return Sample(
            stream=self._context.stream,
            modality=self._context.modality,
            data=np.array([item.item.values for item in placed], np.float32),
            start_ns=int(times_ns[0]),
            end_ns=int(times_ns[-1]),
            receive_ns=self._context.clock.now_ns(),
            uncertainty_ns=max(self._clock.uncertainty_ns, LEAST_UNCERTAINTY_NS),
            clock=self._context.clock.id,
            times_ns=times_ns,
            gap=placed[0].gap,
        )

    def _unheard(self, seconds: float) -> SourceError:
        """Why there are no readings, as far as it can be told."""
        assert self._line is not None
        shown = self._line.shown
        if not self._bytes:
            what = f"nothing came from {shown} for {seconds:g} s."
            return lost(self._context, what, "Check the sensor's power and wiring.")
        if self._parser.problem:
            what = f"{shown} sends what cannot be used: {self._parser.problem}."
            return lost(self._context, what, "Set `columns`, `header` or `prefix` to match.")
        what = f"{self._bytes} bytes came from {shown} in {seconds:g} s and no reading in them."
        fix = f"Check `baud` (now {self._options.baud}) and `format` (now {self._options.format})."
        return lost(self._context, what, fix)
