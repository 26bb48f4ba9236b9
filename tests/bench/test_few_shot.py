from __future__ import annotations

import json
from pathlib import Path

import few_shot
import numpy as np
import pytest
from labelled import Thing

from tests.teaching import recordings

KINDS = {"dog bark": recordings.beeps, "rain": recordings.hum, "rooster": recordings.noise}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder such as the starter's: three kinds of sounds, six of each held out, two not."""
    (tmp_path / "audio").mkdir()
    lines = ["file,label,name,seconds,licence,author,url,collection,fold"]
    for kind, sound in KINDS.items():
        for i in range(8):
            name = f"{kind.replace(' ', '_')}{i}.wav"
            recordings.write(tmp_path / "audio" / name, sound(i))
            fold = 4 if i < 6 else 1
            lines.append(f"{name},{kind},{name},2,CC0,a,http://{kind}/{i // 2},esc10,{fold}")
    (tmp_path / "audio.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "image.csv").write_text("file,label\n")
    (tmp_path / "thermal.csv").write_text("file,label,x,y,w,h\n")
    return tmp_path


def test_figures_a_picture_and_json_come_of_one_command(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    written = ("--out", str(tmp_path / "p.png"), "--json", str(tmp_path / "f.json"))
    few_shot.main(["--data", str(data), "--towers", "audio", "--draws", "3", *written])
    said = capsys.readouterr().out
    assert "audio: dog bark, rain, rooster; 18 held out, 0 of no kind" in said
    rows = json.loads((tmp_path / "f.json").read_text())
    assert {row["k"] for row in rows} == {1, 2, 4}  # there are no eight to learn from
    by = {(row["k"], row["method"]): row for row in rows}
    assert by[2, "prototype"]["top1"] == by[2, "prototype"]["auc"] == 1
    assert by[2, "prototype"]["top1_half"] == 0
    assert by[1, "words"]["top1"] < 1  # beeps are no dog
    assert (by[1, "prototype"]["trained"], by[4, "prototype"]["trained"]) == (0, 0)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_no_source_is_in_both_halves_and_what_was_trained_on_comes_last() -> None:
    rng = np.random.default_rng(0)
    things = [
        Thing(rng.standard_normal(8).astype(np.float32), kind, f"{kind}{source}", source < 5)
        for kind in ("a", "b", "")
        for source in range(7)
        for _ in range(source % 3 + 1)
    ]
    for seed in range(20):
        draw = few_shot.drawn(things, np.random.default_rng(seed))
        assert set(draw.learn) == set(draw.find) == {"a", "b"}
        for kind, learn in draw.learn.items():
            find = draw.find[kind]
            assert find
            assert learn[0].held_out
            assert {t.source for t in learn}.isdisjoint(t.source for t in find)
            assert all(t.held_out and t.kind == kind for t in find)
            order = [t.held_out for t in learn]
            assert order == sorted(order, reverse=True)
            assert len(learn) + len(find) == 13


def test_pairs_are_counted_and_ties_by_half() -> None:
    own, rest = np.array([0.9, 0.5], np.float32), np.array([0.5, 0.1], np.float32)
    assert few_shot.ranked(own, rest) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert few_shot.half([0.5]) == 0
    assert few_shot.half([0.0, 1.0]) == pytest.approx(1.96 * 0.5**0.5 / 2**0.5)
