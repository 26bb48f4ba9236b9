"""Cutting a stream into windows in event time.

Windows lie on a grid: they start at whole multiples of the hop since 1970, so that streams cut
alike line up and a recording is cut the same way however it was chunked. A window closes when the
watermark (latest capture time seen, less the allowed lateness) passes its end; an idle stream's
watermark follows the clock through `due`. What was not observed is stated in `coverage` and `gaps`,
and too little makes the window `void`; nothing is ever averaged across a hole.
"""

from __future__ import annotations

from collections import Counter

from bindstream.assembly import buffer_for
from bindstream.errors import ConfigError
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName, Sample, Window

JUMP_S = 5.0
"""A capture time this far behind the watermark is a clock that jumped back, not a late reading."""


class Windower:
    """Turns Samples of one stream into Windows. Reads no clock.

    Args:
        stream: name of the stream, as in the configuration.
        modality: its kind.
        window_s, hop_s, lateness_s: seconds; the modality's own where None.
        seq: number of the first window.
        after_ns: end of the last window cut by an earlier run of this stream, if there was one; no
            window that it may have cut is cut again.

    `counts` tallies readings: "late", "duplicate", "invalid", and "jump" (clocks that went back).
    `unheard_ns` is the time between the first and the last window for which nothing at all came.
    """

    def __init__(
        self,
        stream: str,
        modality: ModalityName,
        *,
        window_s: float | None = None,
        hop_s: float | None = None,
        lateness_s: float | None = None,
        seq: int = 0,
        after_ns: int = 0,
    ) -> None:
        self._stream = stream
        self._modality = MODALITIES[modality]
        self._window_ns = round((window_s or self._modality.window_s) * 1e9)
        self._hop_ns = round((hop_s or self._modality.hop_s) * 1e9)
        late = self._modality.lateness_s if lateness_s is None else lateness_s
        self._lateness_ns = round(late * 1e9)
        if not 0 < self._hop_ns <= 10 * self._window_ns:
            raise ConfigError(
                f"a hop of {self._hop_ns / 1e9} s does not go with windows of "
                f"{self._window_ns / 1e9} s.",
                where=f"stream {stream!r}",
                fix="Choose a hop above 0 and at most ten windows long.",
            )
        self._seq = seq
        self._first_ns = after_ns - self._window_ns + self._hop_ns if after_ns else 0
        self._refused: Counter[str] = Counter()
        self.unheard_ns = 0
        self._begin()

    def _begin(self) -> None:
        """Start afresh: nothing buffered, no watermark."""
        self._buffer = buffer_for(self._modality, self._window_ns, self._hop_ns)
        self._next_ns: int | None = None  # start of the window that closes next
        self._watermark_ns = 0
        self._closed_ns = 0  # end of the last window that closed
        self._newest_ns = 0
        self._last: Sample | None = None

    @property
    def counts(self) -> Counter[str]:
        return self._refused + self._buffer.counts

    @property
    def seq(self) -> int:
        """Number the next window will get."""
        return self._seq

    @property
    def passed_ns(self) -> int:
        """No window to come ends here or before, unless the clock jumps back; -1 at first."""
        return -1 if self._next_ns is None else self._next_ns + self._window_ns - 1

    def push(self, sample: Sample) -> list[Window]:
        """Take a sample in; returns the windows that closed, oldest first."""
        closed: list[Window] = []
        if self._jumped_back(sample):
            closed = self.flush()
            self._refused += self._buffer.counts
            self._refused["jump"] += 1
            self._first_ns = 0
            self._begin()
        if self._next_ns is None:
            self._next_ns = -(-max(sample.start_ns, self._first_ns) // self._hop_ns) * self._hop_ns
        elif sample.start_ns < self._closed_ns:
            self._refused["late"] += 1 if sample.times_ns is None else len(sample.times_ns)
        self._last = sample
        # Readings older than every open window would only be forgotten again.
        if sample.end_ns >= self._next_ns - self._window_ns:
            self._buffer.put(sample)
        self._newest_ns = max(self._newest_ns, sample.end_ns)
        return closed + self._advance(self._newest_ns - self._lateness_ns)

    def due(self, now_ns: int) -> list[Window]:
        """Windows that close because time has passed; for live streams only."""
        if self._next_ns is None:
            return []
        return self._advance(now_ns - self._lateness_ns)

    def flush(self) -> list[Window]:
        """The recording is over: close every window that ends with its last reading or before."""
        return [] if self._next_ns is None else self._advance(self._newest_ns)

    def _jumped_back(self, sample: Sample) -> bool:
        return self._watermark_ns - sample.end_ns > round(JUMP_S * 1e9)

    def _advance(self, watermark_ns: int) -> list[Window]:
        self._watermark_ns = max(self._watermark_ns, watermark_ns)
        assert self._next_ns is not None
        closed: list[Window] = []
        while self._next_ns + self._window_ns <= self._watermark_ns:
            start_ns = self._next_ns
            window = self._cut(start_ns, start_ns + self._window_ns)
            self._next_ns = start_ns + self._hop_ns
            self._closed_ns = start_ns + self._window_ns
            if window is not None:
                closed.append(window)
            else:
                self._skip_silence()
            self._buffer.forget(self._next_ns)
        return closed

    def _skip_silence(self) -> None:
        """Nothing was heard in the last window: go on where the next reading is or may be."""
        assert self._next_ns is not None
        self.unheard_ns += self._hop_ns
        heard_ns = self._buffer.first_ns(self._next_ns)
        until_ns = self._watermark_ns if heard_ns is None else heard_ns
        # The first window on the grid that ends after `until_ns`.
        first_ns = (until_ns - self._window_ns) // self._hop_ns * self._hop_ns + self._hop_ns
        if first_ns > self._next_ns:
            self.unheard_ns += first_ns - self._next_ns
            self._next_ns = first_ns

    def _cut(self, start_ns: int, end_ns: int) -> Window | None:
        cut = self._buffer.cut(start_ns, end_ns)
        if cut is None or self._last is None:
            return None
        void = ""
        if cut.coverage < self._modality.min_coverage:
            void = (
                f"only {cut.coverage:.0%} of the window was observed, "
                f"{self._modality.min_coverage:.0%} are needed"
            )
        self._seq += 1
        return Window(
            stream=self._stream,
            modality=self._modality.name,
            seq=self._seq - 1,
            start_ns=start_ns,
            end_ns=end_ns,
            data=cut.data,
            coverage=cut.coverage,
            uncertainty_ns=self._last.uncertainty_ns,
            clock=self._last.clock,
            offset_ns=self._last.offset_ns,
            gaps=cut.gaps,
            times_ns=cut.times_ns,
            void=void,
            stages={"received": self._last.receive_ns + self._last.offset_ns},
        )
