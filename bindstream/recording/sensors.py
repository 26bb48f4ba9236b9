"""Sensors recorded alone: no windows, no model, no Ray; one process."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

from bindstream.clocks.host import Clock
from bindstream.config import Config, StreamConfig
from bindstream.config.record import RecordConfig
from bindstream.recording.tape import Tape
from bindstream.sources import Source, SourceContext
from bindstream.sources.reader import Reader, State
from bindstream.sources.registry import open_source

REOPEN_S = 10.0
"""A live source that said nothing for this long is opened again."""
TURN_S = 0.02


@dataclass(frozen=True)
class SensorFigures:
    """One stream as it is recorded.

    `data_bytes` are before compression; `missed` Samples came too fast to be taken from the driver,
    `lost` ones were taken and not recorded. `cpu_share` is what recording them took of one core.
    """

    modality: str
    state: State
    detail: str
    opens: int
    samples: int
    rate_hz: float
    data_bytes: int
    missed: int
    lost: int
    cpu_share: float


class SensorRun:
    """Records the sensors of a configuration. Call `start`, `turn` again and again, then `stop`.

    Raises:
        MissingPackageError: a library that recording needs is not installed.
    """

    def __init__(self, config: Config, record: RecordConfig) -> None:
        self._config = config
        self._clock = Clock.read()
        self._start_ns = (self._clock.now_ns() // 10**9 + 1) * 10**9
        self.tape = Tape(config, record, self._clock)
        self._readers = {
            stream.name: Reader(lambda s=stream: self._source(s), stale_s=REOPEN_S)  # type: ignore[misc]
            for stream in config.streams
        }
        self._begun_s = self._until_s = time.monotonic()
        self._cpu_before_s = _cpu_s()
        self._stopped = False

    def _source(self, stream: StreamConfig) -> Source:
        context = SourceContext(stream.name, stream.modality, self._clock, self._start_ns)
        return open_source(stream.source, context)

    def start(self) -> None:
        for reader in self._readers.values():
            reader.start()

    def turn(self) -> None:
        """Take what came and have it recorded; waits a little if nothing did."""
        came = False
        for reader in self._readers.values():
            for sample in reader.take(0):
                self.tape.push(sample)
                came = True
        if not came:
            time.sleep(TURN_S)

    @property
    def ended(self) -> bool:
        """True once every stream was a recording and is over, or can never work."""
        return all(reader.ended for reader in self._readers.values())

    def stop(self) -> None:
        """Stop the sensors, write what waits, close the files. Blocks up to 30 s."""
        for reader in self._readers.values():
            reader.stop()
        for reader in self._readers.values():
            for sample in reader.take(0):
                self.tape.push(sample)
        self._until_s, self._stopped = time.monotonic(), True
        self.tape.close({}, self._clock.now_ns())

    @property
    def seconds(self) -> float:
        """How long it has been recording."""
        return (self._until_s if self._stopped else time.monotonic()) - self._begun_s

    @property
    def cpu_share(self) -> float:
        """What this whole process took of one core since the beginning, drivers included."""
        return (_cpu_s() - self._cpu_before_s) / max(self.seconds, 1e-3)

    def figures(self) -> dict[str, SensorFigures]:
        """Each stream as it stands now."""
        kept, seconds = self.tape.health(), max(self.seconds, 1e-3)
        said = {}
        for stream in self._config.streams:
            name, health = stream.name, self._readers[stream.name].health()
            samples = kept.samples.get(name, 0)
            said[name] = SensorFigures(
                modality=stream.modality,
                state=health.state,
                detail=health.detail,
                opens=health.opens,
                samples=samples,
                rate_hz=samples / seconds,
                data_bytes=kept.written_bytes.get(name, 0),
                missed=health.dropped,
                lost=kept.lost.get(name, 0),
                cpu_share=kept.cpu_s.get(name, 0.0) / seconds,
            )
        return said


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
