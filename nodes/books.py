"""The books of a run: each stream's accounts, whoever died, and in the end what its ledger says."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import ray
from ray.exceptions import RayError

from bindstream.accounts import Accounts, Ledger, Published, hold
from bindstream.errors import BindstreamError
from nodes.embed import EmbedHealth
from nodes.stream import StreamHealth
from nodes.watched import Watched
from nodes.wiring import Wiring

GONE_S = 1.0
"""How long the process of a stream may take to be gone once it was killed."""
LAST_WORD_S = 0.5
"""How long the embedding actors may take to say what they published of it."""


class Books:
    """What is said of the accounts of a run's streams."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._heard: dict[str, Accounts] = {}
        self._lost: dict[str, Accounts] = {}  # of ledgers that are gone, with their host
        self._final: dict[str, Accounts] = {}

    def of(self, stream: str) -> Accounts | None:
        """A stream's accounts as far as they are known; None before it said any."""
        if stream in self._final:
            return self._final[stream]
        heard, lost = self._heard.get(stream), self._lost.get(stream)
        return heard + lost if heard and lost else heard or lost

    def hear(self, streams: Sequence[Watched[StreamHealth]]) -> list[str]:
        """Take in what the streams last said; returns what users should know of it."""
        said = []
        for stream in streams:
            if stream.health is None:
                continue
            now = stream.health.intake.accounts
            before = self._heard.get(stream.name)
            if before is not None and now.ledger != before.ledger:
                # It runs on another host now, or somebody removed the file.
                gone = before.written_off("killed")
                lost = self._lost.get(stream.name)
                self._lost[stream.name] = gone if lost is None else lost + gone
                said.append(
                    f"stream {stream.name}: its ledger is gone, and it counts anew; the "
                    f"{before.captured} windows before are in its accounts as they were last heard"
                )
            self._heard[stream.name] = now
        return said

    def close(
        self,
        streams: Sequence[Watched[StreamHealth]],
        embedders: Sequence[Watched[EmbedHealth]],
        drained: Sequence[Watched[StreamHealth]],
    ) -> list[str]:
        """The final accounts of every stream; returns what users should know. Takes up to
        `GONE_S` and `LAST_WORD_S` for all that have not drained, which are ended.

        Args:
            drained: those that ended by themselves, and said so.
        """
        said = self.hear(streams)
        left = []
        for stream in streams:
            health = stream.health
            if health is not None and stream in drained and not health.intake.accounts.pending:
                known = self.of(stream.name)
                assert known is not None
                self._final[stream.name] = known
            else:
                left.append(stream)
        for stream in left:
            stream.end()
        until_s = time.monotonic() + GONE_S
        for stream in left:
            within_s = max(until_s - time.monotonic(), 0.05)
            said += self._close(stream, embedders, within_s)
        return said

    def _close(
        self, stream: Watched[StreamHealth], embedders: Sequence[Watched[EmbedHealth]], s: float
    ) -> list[str]:
        """Close one stream's accounts in its stead, in its ledger if that is on this host."""
        name, ledger = stream.name, self._ledger(stream.name)
        said = "" if stream.failed else f"stream {name} had to be ended"
        if ledger is not None:
            if (held := hold(self._wiring.ledger(name), s)) is not None:
                with held:
                    known = _published(name, ledger.next_seq, embedders)
                    if lost := ledger.recover(known, "ended"):
                        said = f"stream {name} had to be ended, with {lost} windows in hand"
            self._heard[name] = ledger.read()
        accounts = self.of(name)
        if accounts is not None:
            self._final[name] = accounts
            if accounts.pending:
                said = (
                    f"stream {name} does not answer: what became of its last {accounts.pending} "
                    "windows, and of those that it may have cut since, is not known"
                )
        return [said] if said else []

    def _ledger(self, name: str) -> Ledger | None:
        """A stream's ledger; None if that is not on this host, or not any more."""
        path, heard = self._wiring.ledger(name), self._heard.get(name)
        if not path.exists() or not path.stat().st_size:
            return None
        try:
            ledger = Ledger(path)
        except BindstreamError:
            return None
        return ledger if heard is None or ledger.read().ledger == heard.ledger else None


def _published(
    stream: str, before: int, embedders: Sequence[Watched[EmbedHealth]]
) -> dict[int, Published]:
    """What the embedding actors published of a stream; they publish no more of it after this."""
    refs = [e.handle.published.remote(stream, before, LAST_WORD_S / 2) for e in embedders]
    done, _ = ray.wait(refs, num_returns=len(refs), timeout=LAST_WORD_S)
    known: dict[int, Published] = {}
    for ref in done:
        with contextlib.suppress(RayError):
            known.update(ray.get(ref))
    return known
