from __future__ import annotations

import os
from pathlib import Path

import pytest

from bindstream.errors import DataError, ModelError
from bindstream.models.tokenizer import Tokenizer, clip_tokenizer, word_tokenizer
from tests import parity

WORDS = ["a", "dog", "barking", "smoke", "alarm", "naive"]
UNKNOWN, START, END = 1, 2, 3


def ids(text: str) -> list[int]:
    row = word_tokenizer(WORDS).encode([text])[0].tolist()
    return row[: row.index(END) + 1]


def words(text: str) -> list[str]:
    """Which trained words a text is read as."""
    ordered = sorted(WORDS)
    return ["?" if i == UNKNOWN else ordered[i - 4] for i in ids(text)[1:-1]]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("A DOG barking!", ["a", "dog", "barking"]),
        ("smoke_alarm, smoke-alarm", ["smoke", "alarm", "smoke", "alarm"]),
        ("the dog's   alarm\n", ["?", "dog", "alarm"]),
        ("naïve dog’s", ["naive", "dog"]),
        ("dog &amp;amp; alarm", ["dog", "alarm"]),
        ("dog\x00alarm\ufffd🐕", ["dog", "alarm"]),
    ],
)
def test_words_are_read_whatever_their_case_accents_and_punctuation(text, read):
    assert words(text) == read


def test_ids_are_framed_and_padded_to_the_context():
    row = word_tokenizer(WORDS).encode(["a dog", "alarm"])
    assert row.shape == (2, 77)
    assert row[0, 0] == row[1, 0] == START
    assert row[0, 3] == row[1, 2] == END
    assert not row[0, 4:].any()
    assert not row[1, 3:].any()


def test_the_end_token_is_kept_on_text_that_is_too_long():
    row = word_tokenizer(WORDS).encode(["dog " * 500])[0]
    assert row[-1] == END
    assert (row[1:-1] == row[1]).all()


def test_unknown_words_are_named_once_in_their_order():
    tokenizer = word_tokenizer(WORDS)
    assert tokenizer.unknown_words("The zebra's barking at the Dog") == ["the", "zebra", "at"]
    assert tokenizer.unknown_words("a dog, barking!") == []


def test_text_that_is_no_text_is_refused():
    with pytest.raises(DataError, match="None"):
        word_tokenizer(WORDS).encode(["a", None])


@pytest.mark.parametrize("word", ["Dog", "two words", "it's", "", "naïve"])
def test_trained_words_must_be_words_as_they_are_read(word):
    with pytest.raises(DataError, match="not one lower-case word"):
        word_tokenizer([*WORDS, word])


def test_a_saved_tokenizer_reads_alike(tmp_path):
    tokenizer = word_tokenizer(WORDS)
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_json())
    loaded = Tokenizer.load(tmp_path / "tokenizer.json", WORDS)
    for text in ("A naïve dog’s smoke-alarm", "zebra"):
        assert loaded.encode([text]).tolist() == tokenizer.encode([text]).tolist()
        assert loaded.unknown_words(text) == tokenizer.unknown_words(text)
    assert (loaded.vocabulary, loaded.end_id) == (tokenizer.vocabulary, tokenizer.end_id)
    assert Tokenizer.load(tmp_path / "tokenizer.json").unknown_words("zebra") == []


@pytest.mark.parametrize("content", ["", "{}", '{"version": "1.0"}'])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_a_tokenizer_without_an_end_token_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text(
        word_tokenizer(WORDS).to_json().replace("<|endoftext|>", "</s>")
    )
    with pytest.raises(ModelError, match="endoftext"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_clip_s_tokens_equal_the_reference():
    merges = Path(os.environ.get("BINDSTREAM_CLIP_MERGES", "missing"))
    if not merges.is_file():
        pytest.skip("needs BINDSTREAM_CLIP_MERGES, the path of CLIP's bpe_simple_vocab_16e6.txt.gz")
    tokenizer = clip_tokenizer(merges)
    assert (tokenizer.vocabulary, tokenizer.end_id) == (49408, 49407)
    for case in parity.table("clip_tokens.json"):
        expected = case["ids"] + [0] * (77 - len(case["ids"]))
        assert tokenizer.encode([case["text"]])[0].tolist() == expected, case["text"]


def test_a_missing_list_of_merges_is_named(tmp_path):
    with pytest.raises(ModelError, match="bpe_simple_vocab"):
        clip_tokenizer(tmp_path / "missing.gz")
