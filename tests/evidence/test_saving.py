"""A folder of evidence: whole or not there, named by its alert and its time."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from bindstream.evidence import saving
from bindstream.evidence.reading import read_evidence
from bindstream.evidence.saving import Told, folder_of, save, scores_picture, tell_anew
from tests.evidence.readings import BEGIN_NS, S, alert


def told(**over: object) -> Told:
    about = alert("audio", 0, 4, nearest=(("rain", 0.21),), shows=(("a dog", 0.5),))
    return msgspec.structs.replace(Told(about, 1, 2, 1.0, ()), **over)


def test_folders_are_named_by_query_stream_and_utc_time_in_the_order_of_time(
    tmp_path: Path,
) -> None:
    at = folder_of(tmp_path, "dog", "door-1", 1_795_000_000_250_999_999)
    assert at == tmp_path / "dog" / "door-1-20261118T110640.250Z"
    names = [folder_of(tmp_path, "dog", "s", 10**18 + i * S // 3).name for i in range(1000)]
    assert names == sorted(set(names))


def test_everything_is_there_and_says_what_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "dog" / "x"
    save(tmp_path, folder, told(), {"sound.wav": b"1", "frames/000.jpg": b"2"})
    assert [p.name for p in tmp_path.iterdir()] == ["dog"]
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {"sound.wav", "frames/000.jpg", "scores.png", "alert.json"}
    evidence = read_evidence(folder)
    assert evidence.told.alert == told().alert
    assert evidence.told.files == ("sound.wav", "frames/000.jpg", "scores.png")
    assert [p.name for p in evidence.files] == ["frames", "scores.png", "sound.wav"]
    said = json.loads((folder / "alert.json").read_text(encoding="utf-8"))
    assert said["alert"]["text"] == "ein bellender Hund 狗"
    assert said["alert"]["scores"] == [4.0, 5.0, 6.0]


def test_saving_again_replaces_all_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "dog" / "x"
    save(tmp_path, folder, told(), {"old.wav": b"1"})
    save(tmp_path, folder, told(note="again"), {"new.wav": b"2"})
    assert sorted(p.name for p in folder.iterdir()) == ["alert.json", "new.wav", "scores.png"]
    assert [p.name for p in tmp_path.iterdir()] == ["dog"]
    tell_anew(folder, told(note="third"))
    assert read_evidence(folder).told.note == "third"
    assert (folder / "new.wav").read_bytes() == b"2"


def test_a_disk_that_fills_while_saving_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dog" / "x"
    save(tmp_path, folder, told(note="first"), {"sound.wav": b"1"})
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name.endswith("scores.png"):
            real(path, content[:20])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    for again in (
        lambda: save(tmp_path, folder, told(note="second"), {"sound.wav": b"2"}),
        lambda: tell_anew(folder, told(note="second")),
    ):
        with pytest.raises(OSError, match="No space left"):
            again()
    assert read_evidence(folder).told.note == "first"
    assert (folder / "sound.wav").read_bytes() == b"1"
    assert sorted(p.name for p in folder.iterdir()) == ["alert.json", "scores.png", "sound.wav"]
    assert [p.name for p in tmp_path.iterdir()] == ["dog"]


def test_the_scores_are_drawn_against_the_levels() -> None:
    high = alert("audio", 0, 6, scores=(5.0, 9.0, 5.0), on=3.5, off=2.0)
    picture = np.asarray(Image.open(io.BytesIO(scores_picture(told(alert=high)))))
    red = (picture == saving.RED).all(axis=2)
    on_row = red.sum(axis=1).argmax()
    ink = (picture == saving.INK).all(axis=2)
    ink[:, :60] = ink[:22] = ink[-34:] = False  # the curve, without words and ticks
    assert red[on_row].sum() > 600
    assert ink[:on_row].sum() > 100
    assert ink[on_row + 20 :].sum() == 0
    top_row, top_column = np.argwhere(ink)[0]
    assert top_row < 40
    assert 300 < top_column < 460  # the middle one of three windows, in time


@pytest.mark.parametrize("scores", [(), (4.0,), (float("nan"), 3.0, float("inf"))])
def test_scores_of_any_kind_are_drawn(scores: tuple[float, ...]) -> None:
    one = alert("audio", 0, 0, scores=scores, start_ns=BEGIN_NS, end_ns=BEGIN_NS)
    assert Image.open(io.BytesIO(scores_picture(told(alert=one)))).size == (720, 240)


def test_a_folder_that_cannot_be_put_in_place_leaves_the_older_one_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dog" / "x"
    save(tmp_path, folder, told(note="first"), {"sound.wav": b"1"})
    real = Path.rename
    moved: list[Path] = []

    def fails_once(path: Path, to: Path) -> Path:
        moved.append(path)
        if len(moved) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, to)

    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(OSError, match="Input/output error"):
        save(tmp_path, folder, told(note="second"), {"sound.wav": b"2"})
    assert read_evidence(folder).told.note == "first"
    assert (folder / "sound.wav").read_bytes() == b"1"
    assert [p.name for p in tmp_path.iterdir()] == ["dog"]
