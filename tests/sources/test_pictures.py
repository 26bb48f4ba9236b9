"""Folders of pictures: order, times, damage, and the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import SourceError
from bindstream.sources import EndOfStream
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.pictures import PictureFolder, decode_as_is, natural_order
from tests.devices.streams import context
from tests.sources.recordings import write_pictures


def grey(value: int) -> np.ndarray:
    return np.full((4, 6), value, np.uint8)


def folder_of(path: Path, fps: float = 10.0, **options: object) -> PictureFolder:
    playback = PlaybackOptions(speed="max", **options)
    return PictureFolder(context("vision"), path, fps, playback, decode_as_is, (".png",))


def test_pictures_come_in_natural_order_at_their_times(tmp_path: Path) -> None:
    names = ["a10.png", "a2.png", "A1.PNG", "b.png", "notes.txt"]
    write_pictures(tmp_path, {n: grey(i) for i, n in enumerate(names) if n != "notes.txt"})
    (tmp_path / "notes.txt").write_text("not a picture")
    feed = folder_of(tmp_path, fps=4)
    feed.open()
    frames = [feed.read() for _ in range(4)]
    assert [f.data[0, 0] for f in frames] == [2, 1, 0, 3]
    assert [f.capture_ns - frames[0].capture_ns for f in frames] == [0, 25e7, 50e7, 75e7]
    with pytest.raises(EndOfStream):
        feed.read()


def test_natural_order_compares_numbers_as_numbers_and_ties_by_name() -> None:
    names = ["x9y10", "x9y9", "x010", "x10", "x", "9", "10"]
    ordered = [p.name for p in natural_order(Path(n) for n in names)]
    assert ordered == ["x", "x9y9", "x9y10", "x010", "x10", "9", "10"]


def test_looped_folder_goes_on_in_time(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": grey(1), "2.png": grey(2)})
    feed = folder_of(tmp_path, fps=10, loop=True)
    feed.open()
    frames = [feed.read() for _ in range(5)]
    assert [f.data[0, 0] for f in frames] == [1, 2, 1, 2, 1]
    assert [f.capture_ns - frames[0].capture_ns for f in frames] == [n * 10**8 for n in range(5)]


def test_unreadable_pictures_are_counted_skipped_and_marked(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": grey(1), "2.png": grey(2), "5.png": grey(5)})
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "4.png").write_bytes(b"")
    feed = folder_of(tmp_path, fps=10)
    feed.open()
    frames = [feed.read() for _ in range(5)]
    assert [f is None for f in frames] == [False, False, True, True, False]
    assert feed.skipped == 2
    assert frames[4].gap == "4.png cannot be read"
    assert frames[4].capture_ns - frames[0].capture_ns == 4 * 10**8, (
        "later pictures keep their time"
    )


def test_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"{tmp_path} holds no pictures") as empty:
        folder_of(tmp_path).open()
    assert "stream 's'" in str(empty.value)
    with pytest.raises(SourceError, match="No such file"):
        folder_of(tmp_path / "nowhere").open()


def test_folder_of_damaged_pictures_alone_is_an_error_even_when_looped(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"\x89PNG nothing more")
    feed = folder_of(tmp_path, loop=True)
    feed.open()
    assert feed.read() is None
    with pytest.raises(SourceError, match="none of the 1 pictures"):
        feed.read()


def test_a_picture_that_is_not_due_yet_does_not_hold_the_reader(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": grey(1), "2.png": grey(2)})
    playback = PlaybackOptions(speed=1.0)
    feed = PictureFolder(context("vision"), tmp_path, 0.01, playback, decode_as_is, (".png",))
    feed.open()
    assert feed.read() is not None
    assert feed.read() is None
