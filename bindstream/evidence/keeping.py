"""The evidence of one stream: its last seconds in memory, and when they are saved for an alert.

An alert is saved twice: once `after_s` have passed since it started, so that whoever is woken sees
something, and again `after_s` after its end. Of an event longer than `LONGEST_S` the beginning is
kept.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bindstream.config import EvidenceConfig, StreamConfig
from bindstream.config.written import NAME
from bindstream.evidence.media import media
from bindstream.evidence.reading import make_room, read_evidence
from bindstream.evidence.ring import Kept, Ring
from bindstream.evidence.saving import Told, folder_of, save, tell_anew
from bindstream.modalities import MODALITIES
from bindstream.records import Alert, Sample, on_run_clock

LONGEST_S = 30.0
"""So much of an event is kept, seconds, beside what is before and after it."""
LAG_S = 20.0
"""An alert may be so late, seconds: its windows were embedded, and had to last long enough."""
PATIENCE_S = 5.0
"""A sensor that says nothing more is waited for so long, beyond `after_s`."""
LOOK_NS = 3600 * 10**9
"""How often it is looked for what is too old."""
OPEN_MOST = 64
"""Events that may be going on at a time; of more the oldest are as good as saved."""


@dataclass(frozen=True)
class EvidenceHealth:
    """What a keeper says of itself.

    `saved` and `failed` count folders that were written or could not be, `late` those of alerts of
    which nothing was left, `gone` those let go of for room; `trouble` says what went wrong last
    ("" once it goes right), `bytes` is what the ring takes in memory now.
    """

    saved: int = 0
    failed: int = 0
    late: int = 0
    gone: int = 0
    trouble: str = ""
    bytes: int = 0


@dataclass
class _Event:
    """An alert of this stream: what is to be kept of it (UTC ns), and whether that is to be saved.

    `came_ns` is when it was last heard of, `is_whole` says that its readings are saved for good.
    """

    alert: Alert
    from_ns: int
    most_ns: int
    until_ns: int
    came_ns: int
    due: bool = True
    waits: bool = True
    is_whole: bool = False


class Keeper:
    """Keeps and saves the evidence of one stream. Reads no clock.

    One thread pushes readings; another hears of alerts and saves. Nothing here raises: a full disk
    stops no stream, `health` says it.
    """

    def __init__(self, stream: StreamConfig, config: EvidenceConfig) -> None:
        self._stream, self._config = stream, config
        modality = MODALITIES[stream.modality]
        self._hop_s = stream.hop_s or modality.hop_s
        window_s = stream.window_s or modality.window_s
        self._before_ns, self._after_ns = (
            round(seconds * 1e9) for seconds in (config.before_s, config.after_s)
        )
        self._ring = Ring(
            stream.modality, config.before_s + config.after_s + LAG_S + max(window_s, self._hop_s)
        )
        self._events: dict[str, _Event] = {}
        self._lock = threading.Lock()
        self._health = EvidenceHealth()
        self._is_over = False
        self._looked_ns = 0

    def push(self, sample: Sample) -> None:
        """Readings, as they came from the source; pictures take 5 to 10 ms of one core.

        They are held on the run's clock, as alerts are, whichever host this is."""
        try:
            self._ring.push(on_run_clock(sample))
        except (ValueError, TypeError, OSError) as error:  # readings that are none, no memory
            self._say(trouble=f"readings cannot be kept: {error}")

    def take(self, alert: Alert, now_ns: int) -> None:
        """An alert, started or ended; those in which this stream has no part are left alone, and
        those of which the query has no name: it names a folder, and anyone may be on the bus."""
        own = [part for part in alert.parts if part.stream == self._stream.name]
        if alert.stream != self._stream.name and not own:
            return
        if re.fullmatch(NAME, alert.query) is None:
            return
        begun_ns = min((part.start_ns for part in own), default=alert.start_ns)
        with self._lock:
            event = self._events.get(alert.id)
            if event is None:
                most_ns = alert.start_ns + round(LONGEST_S * 1e9) + self._after_ns
                from_ns = min(begun_ns, alert.start_ns) - self._before_ns
                event = _Event(alert, from_ns, most_ns, 0, now_ns)
                self._events[alert.id] = event
                while len(self._events) > OPEN_MOST:
                    self._events.pop(next(iter(self._events)))
            event.alert, event.came_ns = alert, now_ns
            event.until_ns = min(alert.end_ns + self._after_ns, event.most_ns)
            event.due = event.waits = True
            self._hold()

    def due(self, now_ns: int) -> None:
        """Save what is due. Blocks for the disk and up to a second of one core for each."""
        with self._lock:
            ripe = [event for event in self._events.values() if self._is_ripe(event, now_ns)]
        for event in ripe:
            self._save(event, now_ns)
        if not 0 <= now_ns - self._looked_ns < LOOK_NS:  # what is too old goes if nothing comes too
            self._looked_ns = now_ns
            self._let_go(now_ns)

    def end(self, now_ns: int) -> None:
        """The stream is over: whatever is due is saved at once, now and from now on."""
        self._is_over = True
        self.due(now_ns)

    def _is_ripe(self, event: _Event, now_ns: int) -> bool:
        if not event.due:
            return False
        patience_ns = self._after_ns + round(PATIENCE_S * 1e9)
        waited = event.waits and now_ns - event.came_ns >= patience_ns
        return self._is_over or waited or self._ring.newest_ns >= event.until_ns

    def _hold(self) -> None:
        """The ring is to keep what open events need."""
        starts = [event.from_ns for event in self._events.values() if not event.is_whole]
        self._ring.floor_ns = min(starts, default=None)

    def _save(self, event: _Event, now_ns: int) -> None:
        alert = event.alert
        try:
            self._write(event, alert, now_ns)
        except Exception as error:  # whatever it is, it must not end the stream's listening
            why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            self._say(
                failed=self._health.failed + 1,
                trouble=f"evidence of {alert.id} cannot be saved in {self._config.path}: {why}",
            )
        with self._lock:
            if event.alert is not alert:
                return  # more was heard of it meanwhile
            if alert.state == "ended":
                self._events.pop(alert.id, None)
            elif event.until_ns < event.most_ns:  # again when it has gone on for long
                event.until_ns, event.waits = event.most_ns, False
            else:
                event.is_whole, event.due = True, False
            self._hold()

    def _write(self, event: _Event, alert: Alert, now_ns: int) -> None:
        root = self._config.path
        folder = folder_of(root, alert.query, self._stream.name, alert.start_ns)
        alert = dataclasses.replace(alert, evidence=str(folder))
        kept = [] if event.is_whole else self._ring.take(event.from_ns, event.until_ns)
        if not kept and folder.is_dir():
            tell_anew(folder, _as_before(folder, alert))
        else:
            told = self._told(event, alert, kept, now_ns)
            save(root, folder, told, media(self._stream.modality, kept, alert.peak_ns))
            self._say(late=self._health.late + (not kept))
        self._say(saved=self._health.saved + 1, trouble="")
        self._let_go(now_ns, but=folder)

    def _let_go(self, now_ns: int, but: Path | None = None) -> None:
        keep = self._config.keep_days, self._config.keep_bytes
        try:
            gone = make_room(self._config.path, *keep, now_ns, but)
        except OSError as error:
            self._say(trouble=f"what is too old cannot be let go of: {error}")
        else:
            self._say(gone=self._health.gone + gone)

    def _told(self, event: _Event, alert: Alert, kept: list[Kept], now_ns: int) -> Told:
        start_ns = kept[0].start_ns if kept else 0
        end_ns = max((one.end_ns for one in kept), default=0)
        missing_s = (start_ns - event.from_ns) / 1e9
        note = ""
        if not kept:
            late_s = (now_ns - alert.end_ns) / 1e9
            note = f"nothing of it was left in memory: it was heard of {late_s:.0f} s after its end"
        elif missing_s > max(1.0, self._hop_s):
            note = f"what was {missing_s:.0f} s before that was not in memory"
        return Told(alert, start_ns, end_ns, self._hop_s, (), note)

    def _say(self, **changed: object) -> None:
        with self._lock:
            self._health = dataclasses.replace(self._health, **changed)  # type: ignore[arg-type]

    def health(self) -> EvidenceHealth:
        return dataclasses.replace(self._health, bytes=self._ring.bytes)


def _as_before(folder: Path, alert: Alert) -> Told:
    """What was told before, of the alert as it is now."""
    told = read_evidence(folder).told
    left_s = (alert.end_ns - told.kept_end_ns) / 1e9
    note = told.note
    if told.kept_end_ns and left_s > 1:
        note = f"its last {left_s:.0f} s are not kept: of long events the beginning is"
    return msgspec.structs.replace(told, alert=alert, note=note)
