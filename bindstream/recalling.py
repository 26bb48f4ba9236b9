"""What was kept is background at once: a run knows its streams from the last one."""

from __future__ import annotations

from pathlib import Path

from bindstream.errors import BindstreamError, MissingPackageError
from bindstream.history import History
from bindstream.history.computed import computed
from bindstream.watch import Watch

BACK_NS = 24 * 3600 * 10**9
"""How far back: a whole day has its night."""


def recall(watch: Watch, folder: Path, model: str, now_ns: int) -> list[str]:
    """Lets `watch` hear what streams gave in the day before `now_ns`. Blocks for the disk.

    For before the first window. A history that is not there yet is none; one that cannot be read
    is said in the answer, and backgrounds are learned anew.
    """
    if not folder.is_dir():
        return []
    try:
        history = History(folder)
        since_ns = now_ns - BACK_NS
        for stream in history.streams(model, since_ns, now_ns):
            first = next(iter(history.read(model, stream, since_ns, now_ns)), None)
            if first is not None:
                pieces = computed(history, model, stream, since_ns, now_ns)
                watch.hear(stream, first.modality, model, pieces)
    except MissingPackageError:  # which whoever is to keep the history says
        return []
    except BindstreamError as error:
        return [f"what was kept cannot be read, backgrounds are learned anew: {error}"]
    return history.warnings
