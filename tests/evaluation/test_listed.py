from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.errors import ConfigError, DataError
from bindstream.evaluation.listed import read_csv, read_folder
from bindstream.evaluation.records import Asked
from tests.evaluation import layouts


def test_folders_are_classes_and_tell_the_modality(tmp_path: Path) -> None:
    found = read_folder(Asked(layouts.by_folder(tmp_path)))
    assert dict(found.classes) == {"dog_bark": ("dog bark",), "rain": ("rain",)}
    assert [(item.file.name, item.labels) for item in found.items] == [
        ("a.wav", ("dog_bark",)),
        ("b.flac", ("rain",)),
    ]
    assert found.modalities == ("audio",)


@pytest.mark.parametrize("name", ["c.m4a", "c.AAC", "c.oga"])
def test_a_file_that_holds_sound_alone_is_a_sound(tmp_path: Path, name: str) -> None:
    layouts.by_folder(tmp_path)
    (tmp_path / "rain" / name).touch()
    found = read_folder(Asked(tmp_path))
    assert found.modalities == ("audio",)
    assert [item.file.name for item in found.items] == ["a.wav", name, "b.flac"]


def test_files_of_two_kinds_need_to_be_told_apart(tmp_path: Path) -> None:
    layouts.by_folder(tmp_path)
    layouts.picture(tmp_path / "rain" / "c.png")
    with pytest.raises(ConfigError, match=r"audio \(a.wav\) and vision \(c.png\)"):
        read_folder(Asked(tmp_path))
    assert len(read_folder(Asked(tmp_path, "audio")).items) == 2
    found = read_folder(Asked(tmp_path, "vision"))
    assert [item.file.name for item in found.items] == ["c.png"]
    assert len(found.classes) == 2
    with pytest.raises(DataError, match="no imu file"):
        read_folder(Asked(tmp_path, "imu"))


def test_a_list_gives_labels_and_sources(tmp_path: Path) -> None:
    found = read_csv(Asked(layouts.by_list(tmp_path)))
    assert [(item.labels, item.source) for item in found.items] == [
        (("dog bark",), "one"),
        (("rain",), "one"),
        (("rain",), "two"),
    ]
    assert found.items[0].file == tmp_path / "a.wav"
    assert found.task == "classes"


def test_a_list_of_texts_is_searched_by_them(tmp_path: Path) -> None:
    table = layouts.lines(
        tmp_path / "t.csv", "file,text", "a.wav,a dog barks", "b.wav,rain", "a.wav,some animal"
    )
    found = read_csv(Asked(table))
    assert found.task == "retrieval"
    assert found.classes == {}
    assert [item.captions for item in found.items] == [("a dog barks", "some animal"), ("rain",)]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (["file,name", "a.wav,b"], "a column label or a column text"),
        (["file,label"], "it lists no file"),
        (["file,label,text", "a.wav,b,c"], "not both"),
        (["path,label", "a.wav,b"], "no column file"),
        (["file,label", "a.wav,"], "line 2 has no label"),
        (["file,label", "a.doc,b"], "a.doc is neither"),
    ],
)
def test_lists_that_say_too_little_are_refused(
    tmp_path: Path, rows: list[str], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        read_csv(Asked(layouts.lines(tmp_path / "t.csv", *rows)))
