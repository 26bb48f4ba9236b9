"""Text to token ids: start token, words, end token, padded with 0 to 77."""

from __future__ import annotations

import gzip
import html
import unicodedata
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import models, normalizers, pre_tokenizers

from bindstream.errors import DataError, ModelError
from bindstream.modalities import MODALITIES
from bindstream.models.sizes import TowerConfig

CONTEXT = MODALITIES["text"].model_input[0]
CLIP_MERGES = 48894  # of CLIP's published list; 49,408 tokens less 512 letters and 2 marks
MOST_LETTERS = 1 << 24  # of CLIP's published list, unpacked, about five times
WORD_END = "</w>"
START, END, PAD, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "[PAD]", "[UNK]"
TOKENS = 2048
"""Most tokens of texts that are computed together: 60 MB of activations in imagebind_huge."""
LONGER = 1.5
"""By how much the longest text of those computed together may be longer than the shortest."""


class Tokenizer:
    """A `tokenizers` tokenizer whose vocabulary has CLIP's start and end tokens.

    Args:
        inner: turns text into ids without start or end token.
        trained_words: lower-case words the text tower was trained on; None where it was trained on
            text at large, so that no word can be called unknown.

    Raises:
        ModelError: the vocabulary has no start or no end token.
    """

    def __init__(
        self, inner: tokenizers.Tokenizer, trained_words: Collection[str] | None = None
    ) -> None:
        start, end = inner.token_to_id(START), inner.token_to_id(END)
        if start is None or end is None:
            raise ModelError(
                f"The tokenizer has no {START} or no {END} token.",
                where="tokenizer.json",
                fix="Use the tokenizer that the text tower was trained with.",
            )
        inner.no_truncation()
        inner.no_padding()
        self._inner = inner
        self._start: int = start
        self.end_id: int = end
        self._words = None if trained_words is None else frozenset(trained_words)

    @property
    def vocabulary(self) -> int:
        """The number of token ids: the highest, and one."""
        return max(self._inner.get_vocab().values()) + 1

    def misfit(self, tower: TowerConfig) -> str:
        """In what it differs from the tokens that a text tower takes; "" if it does not."""
        if (self.vocabulary, self.end_id) == (tower.vocabulary, tower.end_id):
            return ""
        return (
            f"The tokenizer has {self.vocabulary} tokens ending with {self.end_id}, "
            f"the text tower {tower.vocabulary} ending with {tower.end_id}."
        )

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """(n, 77) int64 ids. The end token is kept on text of over 75 tokens; its tail is not.

        Raises:
            DataError: a text is not a str, or there is no word in it.
        """
        ids = np.zeros((len(texts), CONTEXT), np.int64)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"{text!r} is not text.", fix="Give texts as str.")
            plain = _plain(text)
            words: list[int] = []
            if any(_is_written(letter) for letter in plain):
                words = self._inner.encode(plain, add_special_tokens=False).ids[: CONTEXT - 2]
            if not words:
                raise DataError(
                    f"There is no word in the text {text!r}.", fix="Say what to look for in words."
                )
            whole = [self._start, *words, self.end_id]
            ids[row, : len(whole)] = whole
        return ids

    def lengths(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of each row of `encode`'s answer, start and end token included: (n,) int64."""
        ends: NDArray[np.int64] = np.argmax(ids == self.end_id, axis=1)
        return ends + 1

    def unknown_words(self, text: str) -> list[str]:
        """The words of `text` that the model was never trained on, in order, each once.

        They carry no meaning for the model: a query made of them alone answers to nothing.
        """
        if self._words is None:
            return []
        found = [word for word in _words(self._inner, _plain(text)) if word not in self._words]
        return list(dict.fromkeys(found))

    def to_json(self) -> str:
        """The content of tokenizer.json (the trained words live in model.json)."""
        content: str = self._inner.to_str(pretty=True)
        return content

    @classmethod
    def load(cls, path: Path, trained_words: Collection[str] | None = None) -> Tokenizer:
        """Read tokenizer.json, as Hugging Face's tokenizers write it.

        Raises:
            ModelError: it cannot be read, or has no start or no end token.
        """
        try:
            inner = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for all that goes wrong
            raise ModelError(
                f"The tokenizer cannot be read ({error}).",
                where=str(path),
                fix="Copy the model directory again.",
            ) from error
        return cls(inner, trained_words)


def word_tokenizer(words: Collection[str]) -> Tokenizer:
    """A tokenizer of whole lower-case words, for a text tower trained on `words` alone.

    Accents, punctuation and a trailing 's are taken off; other words become [UNK]. Id 0 pads.

    Raises:
        DataError: a word would not come out of the tokenizer as it went in.
    """
    tokens = [PAD, UNKNOWN, START, END, *sorted(set(words))]
    inner = tokenizers.Tokenizer(
        models.WordLevel({token: index for index, token in enumerate(tokens)}, unk_token=UNKNOWN)
    )
    inner.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Replace(tokenizers.Regex(r"['’]s\b"), ""),
            normalizers.Replace(tokenizers.Regex(r"['’]"), ""),
            normalizers.Replace(tokenizers.Regex(r"[^\w\s]|_"), " "),
        ]
    )
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    for word in words:
        if _words(inner, word) != [word]:
            raise DataError(
                f"{word!r} is not one lower-case word: it is read as {_words(inner, word)}."
            )
    return Tokenizer(inner, words)


def clip_tokenizer(merges: Path | str) -> Tokenizer:
    """CLIP's byte-pair tokenizer, from its published list of merges.

    Args:
        merges: bpe_simple_vocab_16e6.txt.gz of openai/CLIP (also in ImageBind's repository).

    Raises:
        ModelError: the file cannot be read or is not that list.
    """
    pairs = _read_merges(merges)
    # CLIP numbers its 256 bytes in this order: printable ones first, then the others.
    letters = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 256))]
    letters += [chr(256 + index) for index in range(256 - len(letters))]
    tokens = [*letters, *(c + WORD_END for c in letters), *("".join(p) for p in pairs), START, END]
    if twice := len(tokens) - len(set(tokens)):
        raise _no_merges(merges, f"The file's merges make {twice} tokens twice.")
    try:
        model = models.BPE({t: i for i, t in enumerate(tokens)}, pairs, end_of_word_suffix=WORD_END)
    except Exception as error:  # the library raises bare Exception
        raise _no_merges(merges, f"The file's merges are not CLIP's ({error}).") from error
    inner = tokenizers.Tokenizer(model)
    inner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    words = tokenizers.Regex(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return Tokenizer(inner)


def groups_by_length(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Places of texts to compute together, so that a short one does not pay for a long one.

    Each place is in one group; no group has more than TOKENS tokens, padding included.
    """
    groups: list[list[int]] = []
    for place in np.argsort(lengths, kind="stable"):
        group = groups[-1] if groups else []
        length = int(lengths[place])
        alike = bool(group) and length <= LONGER * lengths[group[0]]
        if alike and (len(group) + 1) * length <= TOKENS:
            group.append(int(place))
        else:
            groups.append([int(place)])
    return [np.array(group, np.int64) for group in groups]


def _read_merges(path: Path | str) -> list[tuple[str, str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            text = file.read(MOST_LETTERS + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _no_merges(path, f"The merges cannot be read ({error}).") from error
    if len(text) > MOST_LETTERS:
        raise _no_merges(path, f"The file holds more than {MOST_LETTERS} letters.")
    lines = [line.split() for line in text.split("\n")[1 : CLIP_MERGES + 1]]
    pairs = [(line[0], line[1]) for line in lines if len(line) == 2]
    if len(pairs) != CLIP_MERGES:
        raise _no_merges(path, f"The file holds {len(pairs)} merges, {CLIP_MERGES} are due.")
    return pairs


def _no_merges(path: Path | str, what: str) -> ModelError:
    return ModelError(what, where=str(path), fix="Give CLIP's bpe_simple_vocab_16e6.txt.gz.")


def _plain(text: str) -> str:
    """Text without HTML escapes, twice over as CLIP does: scraped captions escape escapes.

    Halves of surrogate pairs stand for bytes that are no text, and cannot be encoded: left out.
    """
    return html.unescape(html.unescape(text.encode(errors="ignore").decode()))


def _is_written(letter: str) -> bool:
    """Not for control characters, spaces, and what stands for bytes that are no text."""
    return unicodedata.category(letter)[0] not in "CZ" and letter != "\N{REPLACEMENT CHARACTER}"


def _words(inner: tokenizers.Tokenizer, text: str) -> list[str]:
    if inner.normalizer is not None:
        text = inner.normalizer.normalize_str(text)
    return [word for word, _ in inner.pre_tokenizer.pre_tokenize_str(text)]
