"""Which words of names and texts a model does not know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Unknown:
    """Of `total` texts, `touched` hold words the model was never trained on, and of `wholly` it
    knows no word: it cannot tell those apart. `words` are the words, the most frequent first."""

    total: int
    touched: int = 0
    wholly: int = 0
    words: Sequence[str] = field(default_factory=tuple)


def unknown_in(texts: Iterable[str], unknown_words: Callable[[str], list[str]]) -> Unknown:
    """What of the texts `unknown_words` (a model's) finds."""
    counts: Counter[str] = Counter()
    total = touched = wholly = 0
    for text in texts:
        total += 1
        if unknown := unknown_words(text):
            touched += 1
            wholly += len(unknown) >= len(set(re.findall(r"[^\W_]+", text.lower())))
            counts.update(unknown)
    return Unknown(total, touched, wholly, tuple(word for word, _ in counts.most_common()))
