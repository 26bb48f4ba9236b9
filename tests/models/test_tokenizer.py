from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindstream.errors import DataError, ModelError
from bindstream.models.tokenizer import (
    CONTEXT,
    LONGER,
    MOST_LETTERS,
    TOKENS,
    Tokenizer,
    clip_tokenizer,
    groups_by_length,
    word_tokenizer,
)
from tests import parity
from tests.models.merges import write_merges

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


def test_bytes_that_are_no_text_are_left_out():
    text = b"dog \xff barking".decode(errors="surrogateescape")
    assert words(text) == ["dog", "barking"]
    assert word_tokenizer(WORDS).unknown_words(text + " zebra\udcfe") == ["zebra"]


def test_text_that_is_no_text_is_refused():
    with pytest.raises(DataError, match="None"):
        word_tokenizer(WORDS).encode(["a", None])


@pytest.mark.parametrize("word", ["Dog", "two words", "it's", "", "naïve"])
def test_trained_words_must_be_words_as_they_are_read(word):
    with pytest.raises(DataError, match="not one lower-case word"):
        word_tokenizer([*WORDS, word])


@given(st.lists(st.integers(2, CONTEXT), max_size=300))
def test_texts_are_grouped_by_length_within_bounds(lengths):
    groups = groups_by_length(np.array(lengths, np.int64))
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        tokens = [lengths[place] for place in group]
        assert group.dtype == np.int64
        assert len(tokens) * max(tokens) <= TOKENS
        assert max(tokens) <= LONGER * min(tokens)


def test_texts_of_one_length_are_computed_together_as_far_as_they_fit():
    alike = np.full(TOKENS // 10 + 1, 10)
    assert [len(group) for group in groups_by_length(alike)] == [TOKENS // 10, 1]
    assert [group.tolist() for group in groups_by_length(np.array([77, 4, 70, 5]))] == [
        [1, 3],
        [2, 0],
    ]


def test_lengths_count_the_start_and_the_end_token():
    tokenizer = word_tokenizer(WORDS)
    ids = tokenizer.encode(["dog", "a dog barking", "dog " * 500])
    assert tokenizer.lengths(ids).tolist() == [3, 5, CONTEXT]


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


def test_merges_give_as_many_tokens_as_clip_has(tmp_path):
    tokenizer = clip_tokenizer(write_merges(tmp_path / "merges.gz"))
    assert (tokenizer.vocabulary, tokenizer.end_id) == (49408, 49407)


@pytest.mark.parametrize("damage", ["cut", "bits", "checksum", "plain", "bytes"])
def test_a_damaged_list_of_merges_is_named(tmp_path, damage):
    path = write_merges(tmp_path / "merges.gz")
    whole = path.read_bytes()
    middle = len(whole) // 2
    content = {
        "cut": whole[:middle],
        "bits": whole[:middle] + bytes(200) + whole[middle + 200 :],
        "checksum": whole[:-8] + bytes(8),
        "plain": b"a b\n" * 50_000,
        "bytes": gzip.compress(b"\xff\xfe" * 100),
    }
    path.write_bytes(content[damage])
    with pytest.raises(ModelError, match="cannot be read") as raised:
        clip_tokenizer(path)
    assert raised.value.where == str(path)
    assert "bpe_simple_vocab" in raised.value.fix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("#version\n" + "foreign pair\n" * 48_894, "48893 tokens twice"),
        (
            "#version\n" + "".join(f"qq{i} zz\n" for i in range(48_894)),
            r"are not CLIP's .*Token `qq0` out of",
        ),
        ("#version\n" + "a b\n" * 10, "holds 10 merges, 48894 are due"),
        ("", "holds 0 merges"),
        ("a" * (MOST_LETTERS + 1), "more than 16777216 letters"),
    ],
)
def test_another_list_of_merges_is_refused(tmp_path, text, says):
    path = tmp_path / "merges.gz"
    path.write_bytes(gzip.compress(text.encode(), 1))
    with pytest.raises(ModelError, match=says) as raised:
        clip_tokenizer(path)
    assert raised.value.where == str(path)


def test_of_a_file_that_unpacks_without_end_no_more_than_a_list_s_length_is_read(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 20), 9) * 500)  # a half gigabyte in half a megabyte
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="more than"):
            clip_tokenizer(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * MOST_LETTERS
    finally:
        tracemalloc.stop()
