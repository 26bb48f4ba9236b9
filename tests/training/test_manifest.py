"""Manifests: what rows say, and every way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.training.manifest import Other, Words, read_manifest


def written(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_says_a_recording_and_what_it_is_paired_with(tmp_path: Path) -> None:
    rows, problems = read_manifest(
        written(
            tmp_path,
            "file,modality,with_file,with_modality,text,class,phrases,start_s,end_s,offset_s,source,split\n"
            "a.wav,audio,,,a dog barks|barking,,,1.5,4,,yard,\n"
            "b.wav,audio,,,,dog,barking | a dog,,,,,Test\n"
            "c.wav,audio,c.mp4,vision,,,,,,-0.5,,train\n",
        )
    )
    assert problems == []
    first, second, third = rows
    assert first.file == tmp_path / "a.wav"
    assert first.anchor == Words(("a dog barks", "barking"))
    assert (first.start_s, first.end_s, first.source, first.split) == (1.5, 4.0, "yard", "")
    assert second.anchor == Words(("barking", "a dog"), "dog")
    assert (second.line, second.end_s, second.split) == (3, None, "held_out")
    assert third.anchor == Other("vision", tmp_path / "c.mp4", -0.5)


def test_label_is_another_name_of_class_and_modalities_may_be_given_for_all(tmp_path: Path) -> None:
    path = written(tmp_path, "file,label\na.wav,dog\n")
    (row,), problems = read_manifest(path, "audio")
    assert (row.modality, row.anchor, problems) == ("audio", Words((), "dog"), [])
    path = written(tmp_path, "file,with_file\na.wav,b.mp4\n")
    (row,), _ = read_manifest(path, "audio", "vision")
    assert row.anchor == Other("vision", tmp_path / "b.mp4")


HEAD = "file,modality,with_file,with_modality,text,class,phrases,start_s,end_s,offset_s,split\n"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.wav,smell,,,dog,,,,,,", "modality: is no modality of files (found 'smell')"),
        ("a.wav,text,,,dog,,,,,,", "modality: is no modality of files"),
        ("a.wav,,,,dog,,,,,,", "modality: is not said"),
        (",audio,,,dog,,,,,,", "file: is empty"),
        ("a.wav,audio,b.mp4,vision,dog,,,,,,", "says with_file and text"),
        ("a.wav,audio,,,dog,dog,,,,,", "says text and class"),
        ("a.wav,audio,,,,,,,,,", "says nothing it is paired with"),
        ("a.wav,audio,b.mp4,,,,,,,,", "with_modality: is not said"),
        ("a.wav,audio,b.mp4,smoke,,,,,,,", "with_modality: is no modality"),
        ("a.wav,audio,,,dog,,,nan,,,", "start_s: is no number of seconds (found 'nan')"),
        ("a.wav,audio,,,dog,,,inf,,,", "start_s: is no number"),
        ("a.wav,audio,,,dog,,,-1,,,", "start_s: is no number"),
        ("a.wav,audio,,,dog,,,one,,,", "start_s: is no number"),
        ("a.wav,audio,,,dog,,,3,3,,", "end_s: is not after the interval's start (3)"),
        ("a.wav,audio,,,dog,,,,,2,", "offset_s: is for a with_file"),
        ("a.wav,audio,,,!?,,,,,,", "text: has no word in it (found '!?')"),
        ("a.wav,audio,,,|,,,,,,", "text: has no word in it"),
        ("a.wav,audio,,,,dog,a dog|...,,,,", "phrases: has no word in it (found '...')"),
        ("a.wav,audio,,,dog,,barks,,,,", "phrases: are of a class"),
        ("a.wav,audio,,,dog,,,,,,sometimes", "split: is no split (found 'sometimes')"),
        ("a.wav,audio,,,dog,,,,,,train,more", "has 12 cells, there are 11 columns"),
    ],
)
def test_a_wrong_row_is_said_with_its_line_and_the_way_out(
    tmp_path: Path, row: str, said: str
) -> None:
    path = written(tmp_path, HEAD + "good.wav,audio,,,dog,,,,,,\n\n" + row + "\n")
    rows, problems = read_manifest(path)
    assert [row.line for row in rows] == [2]
    (problem,) = [p for p in problems if said.partition(" (found")[0] in str(p)]
    assert str(problem).startswith(f"{path}:4: ")
    assert said in str(problem)
    assert problem.fix


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    wrong = "a.wav,smell,b.mp4,vision,dog,,,x,,,never\n"
    _, problems = read_manifest(written(tmp_path, HEAD + wrong * 3))
    assert [p.line for p in problems] == [n for n in (2, 3, 4) for _ in range(4)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"file,class\n", "holds no row"),
        (b"file,clas\na.wav,dog\n", "Did you mean 'class'?"),
        (b"file,class,class\na.wav,dog,dog\n", "is there twice"),
        (b"path,class\na.wav,dog\n", "has no column file"),
        (b'file,class\n"a.wav,dog\n', "cannot be read"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    rows, problems = read_manifest(path, "audio")
    assert rows == []
    assert any(said in str(problem) for problem in problems)


def test_lines_are_counted_over_quoted_ones_and_a_mark_of_byte_order_is_no_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(b'\xef\xbb\xbffile,text\na.wav,"a\ndog"\nb.wav,\n')
    rows, (problem,) = read_manifest(path, "audio")
    assert [row.line for row in rows] == [2]
    assert problem.line == 4


def test_a_name_that_begins_as_a_home_does_is_a_name(tmp_path: Path) -> None:
    rows, problems = read_manifest(written(tmp_path, "file,class\n~draft.wav,dog\n"), "audio")
    assert problems == []
    assert rows[0].file == tmp_path / "~draft.wav"
