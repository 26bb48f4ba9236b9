"""When the text tower may be let go of: queries are words once and vectors from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bindstream.models.encoder import Model

LONGEST_S = 3600.0


class TextKeeping:
    """Releases a model's text tower when it was not used for a while.

    If it is needed again within that while after it was released, it is kept twice as long from
    then on, up to LONGEST_S (or `keep_s`, if that is longer): where queries change often it stays.
    If nobody missed it for longer, it is kept as long as in the beginning.

    Args:
        keep_s: how long it is kept unused, seconds; 0 releases it at the next `due`, always.
    """

    def __init__(self, model: Model, keep_s: float) -> None:
        self._model, self._first_s = model, keep_s
        self.keep_s = keep_s
        self._seen = -1
        self._used_s = 0.0
        self._released_s: float | None = None

    def due(self, now_s: float) -> bool:
        """Release the tower if its time has come; True if it was. Call it about once a second.

        Args:
            now_s: of any clock that does not jump.
        """
        if self._seen != self._model.texts_encoded:
            self._seen, self._used_s = self._model.texts_encoded, now_s
            self._lengthen(now_s)
        if "text" not in self._model.in_memory or now_s - self._used_s < self.keep_s:
            return False
        self._model.release("text")
        self._released_s = now_s
        return True

    def _lengthen(self, now_s: float) -> None:
        if self._released_s is None:
            return
        missed = now_s - self._released_s <= self.keep_s
        twice_s = min(2 * self.keep_s, max(LONGEST_S, self._first_s))
        self.keep_s = twice_s if missed else self._first_s
        self._released_s = None
