"""A training's course on disk: as CSV at once, as a picture, without what was undone by a kill."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

from bindstream.training.curve import COLUMNS, Curve
from bindstream.training.trainer import Moment


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def moment(step: int, **figures: float) -> Moment:
    return Moment(step / 100, step, 6.0 * step, 2.0 / step, 1e-3, figures)


def test_every_moment_is_written_at_once_and_it_is_drawn(tmp_path: Path) -> None:
    curve = Curve(tmp_path / "audio.csv", "audio", resume=False, chance={"r1": 0.25})
    curve.add(moment(10))
    curve.add(moment(20, r1=0.5, mrr=0.6))
    first, second = rows(tmp_path / "audio.csv")
    assert tuple(first) == COLUMNS
    assert (first["step"], first["r1"], second["r1"], second["minutes"]) == ("10", "", "0.5", "2")
    with Image.open(tmp_path / "audio.png") as picture:
        size = picture.size
    assert min(size) > 500
    before = (tmp_path / "audio.png").read_bytes()
    curve.add(moment(30, r1=0.9))
    curve.draw()
    assert (tmp_path / "audio.png").read_bytes() != before


def test_going_on_keeps_what_was_before_the_checkpoint_and_drops_what_came_after(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audio.csv"
    before = Curve(path, "audio", resume=False)
    for step in (10, 20, 30):
        before.add(moment(step))
    with path.open("a") as file:
        file.write("40,0.4,br")  # killed as it wrote
    again = Curve(path, "audio", resume=True)
    again.add(moment(25))
    assert [row["step"] for row in rows(path)] == ["10", "20", "25"]
    anew = Curve(path, "audio", resume=False)
    anew.add(moment(5))
    assert [row["step"] for row in rows(path)] == ["5"]


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    Curve(tmp_path / "audio.csv", "audio", resume=True).draw()
    assert list(tmp_path.iterdir()) == []
