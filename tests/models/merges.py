"""A list of merges as large as CLIP's, made up."""

from __future__ import annotations

import gzip
from itertools import islice, product
from pathlib import Path

from bindstream.models.tokenizer import CLIP_MERGES, WORD_END

LETTERS = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 256))]


def write_merges(path: Path) -> Path:
    """48,894 merges, each into another token, laid out as bpe_simple_vocab_16e6.txt.gz."""
    ends = [*LETTERS, *(letter + WORD_END for letter in LETTERS)]
    pairs = islice(product(LETTERS, ends), CLIP_MERGES)
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs))
    return path
