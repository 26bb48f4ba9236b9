from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import alerts
import alerts_report
import judging
import numpy as np
import pytest
from rooms import Happening, SoundRoom
from streams import ASKED, STREAMS, happenings, parts

from bindstream.budget.events import Shape
from bindstream.features.audio import filterbank
from bindstream.training.starter.recordings import Entry

SHAPE = Shape(hysteresis=1.5, cooldown_ns=5_000_000_000)
SECOND_NS = 1_000_000_000


def test_tables_a_picture_and_json_come_of_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    head = "file,label,name,seconds,licence,author,url,collection,fold\n"
    (tmp_path / "audio.csv").write_text(head)
    (tmp_path / "image.csv").write_text("file,label\n")
    (tmp_path / "thermal.csv").write_text("file,label,x,y,w,h\n")
    monkeypatch.setattr(alerts, "STREAMS", [s for s in STREAMS if s.name == "body"])
    for again in range(2):
        written = ("--out", str(tmp_path / "p.png"), "--json", str(tmp_path / f"{again}.json"))
        asked = ("--hours", "0.07", "--modalities", "imu", "--frozen")
        asked += ("--work", str(tmp_path / "work"))
        alerts.main(["--data", str(tmp_path), *asked, *written])
    said = capsys.readouterr().out
    assert "at the false alarms of" in said
    rows = json.loads((tmp_path / "0.json").read_text())
    assert rows == json.loads((tmp_path / "1.json").read_text())  # the second from kept vectors
    assert {row["budget"] for row in rows} == set(alerts_report.BUDGETS)
    assert {row["query"] for row in rows} <= set(ASKED["imu"].values())
    assert any(row["found"] for row in rows)
    for row in rows:
        assert 0 < row["hours"] < 4 / 60
        assert row["false"] == len(row["causes"])
        assert max(row["found"], *row["fixed"][0].values()) <= row["events"]
        assert not row["is_promised"]  # four minutes promise nothing
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_an_alert_is_false_unless_it_meets_what_its_query_may_mean() -> None:
    found = [
        Happening(100, 104, ("dog",)),
        Happening(200, 203, ("wolf",)),  # related: no false alarm, and none that has to be found
        Happening(300, 303, ("rooster",)),
        Happening(400, 404, ("puppy",)),  # a puppy is a dog
    ]
    known = judging.truth(found, "dog", seconds=3600, slack_s=2)
    assert known.own.tolist() == [[100, 104], [400, 404]]
    assert known.hours == pytest.approx((3600 - 8 - 7 - 8) / 3600)
    spans = np.array([(105.5, 107), (107, 109), (198, 199), (301, 303), (90, 99)], float)
    told = judging.judged(spans, known)
    assert told.wrong.tolist() == [False, True, False, True, False]
    assert (told.false, told.found) == (2, 1)
    nothing = judging.judged(np.zeros((0, 2)), known)
    assert (nothing.false, nothing.found) == (0, 0)


def test_the_other_scores_are_what_they_are_said_to_be() -> None:
    rng = np.random.default_rng(0)
    cosines, negatives = rng.normal(0.1, 0.05, 50), rng.normal(0.1, 0.05, (50, 4))
    z = judging.running_z(cosines)
    for k in (2, 20, 49):
        so_far = cosines[: k + 1]
        assert z[k] == pytest.approx((cosines[k] - so_far.mean()) / so_far.std(ddof=1))
    every = np.exp(100 * np.column_stack([cosines, negatives]))
    share = every[:, 0] / every.sum(1)
    logit = judging.softmax_logit(cosines, negatives)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), share, rtol=1e-9)
    average = judging.moving_average(cosines)
    assert average[2] == pytest.approx(0.25 * cosines[0] + 0.25 * cosines[1] + 0.5 * cosines[2])


def test_levels_give_the_false_alarms_that_were_asked_for_and_no_more() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 1, 3600)
    found = [Happening(t, t + 3, ("dog",)) for t in range(300, 3600, 600)]
    for height, one in zip((9, 8, 5, 3, 2.5, 0.1), found, strict=True):
        scores[int(one.start_s) : int(one.end_s)] = height
    known = judging.truth(found, "dog", 3600, 2)
    starts_ns = np.arange(3600) * SECOND_NS
    one = judging.way(scores, starts_ns, 2 * SECOND_NS, SHAPE)
    assert one.shape.hysteresis == pytest.approx(1.5, rel=0.1)
    allowed = (0, 1, 5, 20)
    told = judging.at_most(one, known, allowed)
    assert [judged.false for judged in told] == list(allowed)
    assert [judged.found for judged in told] == sorted(judged.found for judged in told)
    assert told[0].found >= 3
    cuts = np.sort(scores)[::-1]
    for most, judged in zip(allowed, told, strict=True):
        tried = [judging.judged(one.alerts(float(cut)), known) for cut in cuts[:60]]
        first_over = next((k for k, t in enumerate(tried) if t.false > most), None)
        if first_over:
            assert judged.found >= tried[first_over - 1].found


def test_a_score_that_is_unknown_raises_nothing() -> None:
    scores = np.r_[np.full(20, np.nan), np.zeros(20), 5.0, np.zeros(20)]
    one = judging.way(scores, np.arange(61) * SECOND_NS, 2 * SECOND_NS, SHAPE)
    assert one.alerts(4.0).tolist() == [[40, 42]]


def test_poisson_says_what_a_test_of_few_hours_can_tell() -> None:
    assert alerts_report.poisson(0, 0.3) == pytest.approx(np.exp(-0.3))
    assert alerts_report.poisson(2, 1) == pytest.approx(2.5 * np.exp(-1))


def test_halves_share_no_source_and_what_is_asked_for_is_rare_in_the_first() -> None:
    entries = [
        Entry("vision", Path(f"{kind}{i}.jpg"), kind, frozenset({kind}), f"{kind}{i}", i % 2 == 0)
        for kind in ("umbrella", "butterfly", "chair", "laptop")
        for i in range(6)
    ]
    (desk,) = (s for s in STREAMS if s.name == "desk")
    first, test = parts(8, 0, same_sources=False)
    before, after = (happenings(desk, part, entries) for part in (first, test))
    assert before == happenings(desk, first, entries)
    assert {h.source for h in before}.isdisjoint(h.source for h in after)
    asked = [sum(h.concepts[0] in ASKED["vision"] for h in half) for half in (before, after)]
    assert 0 < 2 * asked[0] < asked[1]
    others = [len(before) - asked[0], len(after) - asked[1]]
    assert 0.6 < others[0] / others[1] < 1.6
    same = happenings(desk, parts(8, 0, same_sources=True)[1], entries)
    assert {h.source for h in same} <= {str(e.path) for e in entries if not e.held_out}
    for half in (before, after):  # one picture at a time
        assert all(a.end_s < b.start_s for a, b in pairwise(half))


def test_a_rooms_windows_are_what_the_product_makes_of_its_sound() -> None:
    room = SoundRoom([Happening(3, 6, ("doorbell",))], 60, seed=3, level_db=-50)
    windows = room.minute(2, 3)
    for k in range(3):
        np.testing.assert_allclose(windows[k], filterbank(room.wave(2 + k, 2)), atol=1e-4)
    quiet, ringing = (np.square(room.wave(at, 1)).mean() for at in (10, 3))
    assert ringing > 4 * quiet
