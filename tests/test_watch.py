"""The watch: vectors in, alerts out, each stream judged by its own background."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bindstream.budget.rejected import Judged, Rejected
from bindstream.calibration import WARM_UP
from bindstream.config import QueryConfig
from bindstream.matcher import Query, make_query
from bindstream.records import Alert, Embedding
from bindstream.rules import Level
from bindstream.watch import Watch

S = 1_000_000_000
DOG, ROOM, RAIN, OTHER = np.eye(4, 16, dtype=np.float32)


def query(name: str = "dog", positive: np.ndarray = DOG, **config: object) -> Query:
    given = {"id": name, "text": name, "on": 5, "off": 3, "cooldown_s": 0}
    return make_query(
        QueryConfig.model_validate({**given, **config}),
        positive[None],
        np.zeros((0, 16), np.float32),
        "m1",
    )


def window(i: int, loud: float = 0.0, stream: str = "mic") -> Embedding:
    """The window of second `i`: the room, a little of everything, and `loud` of the dog."""
    noise = np.random.default_rng(i).normal(0, 0.03, 16)
    vector = ROOM + loud * DOG + noise
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Embedding(stream, "audio", i, i * S, (i + 2) * S, vector, "m1")


def watching(*queries: Query) -> Watch:
    watch = Watch({"audio": ROOM[None]})
    for one in queries or (query(),):
        assert watch.put(one) == []
    return watch


def run(watch: Watch, loud_at: range, until: int, stream: str = "mic") -> list[Alert]:
    return [
        alert
        for i in range(until)
        for alert in watch.push(window(i, 1.5 if i in loud_at else 0, stream))[1]
    ]


def test_an_event_is_found_where_it_is_and_nowhere_else() -> None:
    alerts = run(watching(), range(40, 45), 80)
    assert [(a.state, a.start_ns // S, a.end_ns // S) for a in alerts] == [
        ("started", 40, 42),
        ("ended", 40, 46),
    ]
    assert alerts[0].query == "dog"
    assert alerts[0].model == "m1"


def test_scores_carry_z_once_the_background_is_known() -> None:
    watch = watching()
    said = [watch.push(window(i))[0][0].z for i in range(WARM_UP + 5)]
    assert all(math.isnan(z) for z in said[:WARM_UP])
    assert all(abs(z) < 5 for z in said[WARM_UP:])


def test_the_pairs_that_are_still_learning_are_named() -> None:
    watch = watching(query("dog"), query("rain", RAIN))
    for i in range(WARM_UP):
        assert watch.warming() in ([], [("dog", "mic"), ("rain", "mic")])
        watch.push(window(i))
    assert watch.warming() == []
    watch.push(window(0, stream="yard"))
    assert watch.warming() == [("dog", "yard"), ("rain", "yard")]


def test_each_stream_is_judged_by_its_own_background() -> None:
    watch = watching()
    kennel = [a for i in range(60) for a in watch.push(window(i, 1.5, "kennel"))[1]]
    hall = run(watch, range(30, 33), 60, "hall")
    assert kennel == []  # where dogs always bark, barking is no event
    assert {a.stream for a in hall} == {"hall"}


def test_a_query_that_is_removed_ends_its_events_and_says_no_more() -> None:
    watch = watching()
    assert [a.state for a in run(watch, range(40, 50), 44)] == ["started"]
    ended = watch.remove("dog")
    assert [(a.state, a.end_ns // S) for a in ended] == [("ended", 45)]
    assert watch.push(window(44, 1.5)) == ([], [])
    assert watch.remove("dog") == []


def test_a_query_put_again_ends_its_events_and_knows_what_was_heard() -> None:
    watch = watching()
    run(watch, range(40, 50), 44)
    assert [a.state for a in watch.put(query(on=20))] == ["ended"]
    scores, alerts = watch.push(window(44))
    assert abs(scores[0].z) < 5
    assert alerts == []
    assert [q.config.on for q in watch.queries] == [20]


def test_a_query_that_is_added_is_calibrated_at_once_as_if_it_had_always_been_there() -> None:
    late, always = watching(query("dog")), watching(query("dog"), query("rain", RAIN))
    for i in range(400):
        late.push(window(i))
        always.push(window(i))
    late.put(query("rain", RAIN))
    now, expected = (watch.push(window(400))[0][1] for watch in (late, always))
    assert now.z == pytest.approx(expected.z, abs=0.02)
    made, usual = ({q: level for q, _, level in watch.levels()}["rain"] for watch in (late, always))
    assert made.on == pytest.approx(usual.on, rel=0.5)
    assert "cannot promise below 28 an hour yet (0.1 h heard)" in made.promise


def test_other_queries_go_on_when_one_is_removed() -> None:
    watch = watching(query("dog"), query("hound"))
    for i in range(43):
        watch.push(window(i, 1.5 if i >= 40 else 0))
    assert [a.query for a in watch.remove("dog")] == ["dog"]
    assert [a.query for a in watch.flush()] == ["hound"]


def test_streams_that_fell_silent_end_their_events_alone() -> None:
    watch = watching()
    for i in range(43):
        watch.push(window(i, 1.5 if i >= 40 else 0, "hall"))
        watch.push(window(i, 1.5 if i >= 40 else 0, "yard"))
    watch.push(window(46, 1.5, "yard"))
    assert [a.stream for a in watch.due(50 * S)] == ["hall"]
    assert [a.stream for a in watch.flush()] == ["yard"]


def test_vectors_of_another_model_are_refused() -> None:
    watch = watching()
    assert watch.push(dataclasses.replace(window(0), model="m2")) == ([], [])
    assert watch.refused == 1
    assert watch.warming() == []


@pytest.mark.parametrize("order", [["hall", "yard"], ["yard", "hall"]])
def test_streams_do_not_disturb_each_other(order: list[str]) -> None:
    alone = run(watching(), range(30, 34), 60, "hall")
    watch = watching()
    together: list[Alert] = []
    for i in range(60):
        for stream in order:
            loud = 1.5 if stream == "hall" and i in range(30, 34) else 0
            together += watch.push(window(i, loud, stream))[1]
    assert together == alone


def reused(i: int, of: Embedding) -> Embedding:
    """The window of second `i`, for which the vector of an earlier one stands."""
    as_ = of.seq if of.same_as is None else of.same_as
    return dataclasses.replace(of, seq=i, start_ns=i * S, end_ns=(i + 2) * S, same_as=as_)


def test_reused_vectors_are_scored_and_not_learned() -> None:
    watch = watching()
    for i in range(40):
        last = window(i)
        watch.push(last)
    undisturbed = watching()
    run(undisturbed, range(0), 40)
    once = watch.push(reused(40, last))[0][0]
    for i in range(41, 2000):
        scores, alerts = watch.push(reused(i, last))
        assert (scores[0].z, scores[0].seq, alerts) == (once.z, i, [])
    noise = [watch.push(window(i))[0][0].z for i in range(2000, 2020)]
    assert noise == [undisturbed.push(window(i))[0][0].z for i in range(2000, 2020)]
    assert max(noise) < 3


def test_an_event_that_stays_as_it_is_goes_on() -> None:
    watch = watching()
    run(watch, range(0), 40)
    loud = window(40, 1.5)
    alerts = watch.push(loud)[1]
    for i in range(41, 60):
        alerts += watch.push(reused(i, loud))[1]
    alerts += watch.push(window(60))[1]
    assert [(a.state, a.start_ns // S, a.end_ns // S) for a in alerts] == [
        ("started", 40, 42),
        ("ended", 40, 61),
    ]


def test_a_query_added_while_nothing_changes_is_ready_at_once() -> None:
    watch = watching()
    run(watch, range(0), 40)
    still = window(39)
    watch.put(query("hound"))
    said = []
    for i in range(40, 40 + WARM_UP + 3):
        said.append(next(s.z for s in watch.push(reused(i, still))[0] if s.query == "hound"))
    assert len(set(said)) == 1
    assert abs(said[0]) < 3
    assert watch.warming() == []
    (alert,) = [a for a in watch.push(window(90, 1.5))[1] if a.query == "hound"]
    assert alert.state == "started"


def test_of_a_vector_whose_own_window_was_lost_the_next_one_is_learned() -> None:
    watch = watching()
    for i in range(0, 4 * WARM_UP, 2):
        watch.push(reused(i + 1, window(i)))
    assert watch.warming() == []
    watch.put(query("hound"))  # learns from all that was heard
    assert abs(watch.push(window(4 * WARM_UP))[0][1].z) < 3


def mixed(i: int, **parts: float) -> Embedding:
    """The window of second `i`: the room, and so much of the dog, of rain and of something else."""
    noise = np.random.default_rng(i).normal(0, 0.03, 16)
    kinds = {"dog": DOG, "rain": RAIN, "other": OTHER}
    vector = ROOM + sum((kinds[name] * much for name, much in parts.items()), noise)
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Embedding("mic", "audio", i, i * S, (i + 2) * S, vector, "m1")


def hears(watch: Watch, start: int, until: int, at: range, **parts: float) -> list[Alert]:
    windows = [mixed(i, **(parts if i in at else {})) for i in range(start, until)]
    return [alert for one in windows for alert in watch.push(one)[1]]


FALSE = {"dog": 1.2, "other": 1.5}  # answers the query, and is no dog
TRUE = {"dog": 1.5}


def rejection(watch: Watch, alert: Alert) -> Rejected:
    found = watch.peak(alert)
    assert found is not None
    return Rejected(alert.start_ns, alert.end_ns, *found, alert.peak_z)


def test_what_was_rejected_says_nothing_when_it_comes_again_and_a_true_event_does() -> None:
    watch = watching()
    _, first = hears(watch, 0, 60, range(40, 45), **FALSE)
    watch.judge("dog", {"mic": Judged(rejected=(rejection(watch, first),))})
    assert hears(watch, 60, 80, range(65, 70), **FALSE) == []
    assert [a.start_ns // S for a in hears(watch, 80, 100, range(85, 90), **TRUE)] == [85, 85]
    watch.judge("dog", {})  # taken back
    assert [a.start_ns // S for a in hears(watch, 100, 120, range(105, 110), **FALSE)] == [105] * 2


def test_a_rejection_counts_for_its_query_and_stream_alone_and_for_streams_to_come() -> None:
    watch = watching(query(), query("hound"))
    said = hears(watch, 0, 60, range(40, 45), **FALSE)
    first = next(a for a in said if a.query == "dog" and a.state == "ended")
    judged = {"mic": Judged(rejected=(rejection(watch, first),))}
    watch.judge("dog", judged)
    assert {a.query for a in hears(watch, 60, 80, range(65, 70), **FALSE)} == {"hound"}
    later = watching()
    later.judge("dog", judged)
    assert hears(later, 0, 60, range(40, 45), **FALSE) == []
    elsewhere = watching()
    elsewhere.judge("dog", {"yard": judged["mic"]})
    assert len(hears(elsewhere, 0, 60, range(40, 45), **FALSE)) == 2


def test_verdicts_draw_the_level_anew() -> None:
    def level(watch: Watch) -> Level:
        return next(watch.levels())[2]

    watch = watching(query(budget=60))
    _, ended = hears(watch, 0, 400, range(200, 204), **FALSE)[:2]
    taken = level(watch)
    watch.judge("dog", {"mic": Judged(confirmed=((ended.start_ns, ended.end_ns),))})
    hears(watch, 400, 410, range(0))
    assert level(watch) != taken
    assert hears(watch, 410, 430, range(415, 420), **TRUE) != []


def test_an_open_event_is_carried_on_by_another_watch_and_its_cooldown_holds() -> None:
    queries = query(cooldown_s=20)
    before, after = watching(queries), watching(queries)
    (begun,) = hears(before, 0, 43, range(40, 50), **TRUE)
    hears(after, 0, 40, range(0))
    (event,) = before.open()
    assert after.carry_on(event) == []
    (ended,) = hears(after, 43, 60, range(40, 50), **TRUE)
    assert (ended.id, ended.state, ended.end_ns) == (begun.id, "ended", 51 * S)
    third = watching(queries)
    hears(third, 20, 55, range(0))
    third.rest_after(ended)
    hears(third, 55, 60, range(0))
    (again,) = hears(third, 60, 75, range(60, 75), **TRUE)
    assert again.start_ns == 71 * S


@pytest.mark.parametrize(
    "others",
    [(query("cat"),), (query(streams="yard"),), (dataclasses.replace(query(), model="m2"),)],
    ids=["no query", "not on the stream", "another model"],
)
def test_an_open_event_that_is_watched_for_no_more_ends_at_once(others: tuple[Query]) -> None:
    before = watching()
    hears(before, 0, 43, range(40, 50), **TRUE)
    (event,) = before.open()
    (ended,) = watching(*others).carry_on(event)
    assert (ended.id, ended.state) == (event.alert.id, "ended")
    assert ended.end_ns == event.alert.end_ns == 44 * S
    watching(*others).rest_after(ended)


def test_the_first_query_of_words_ends_events_that_are_going_on() -> None:
    watch = watching()
    (begun,) = hears(watch, 0, 43, range(40, 50), **TRUE)
    (ended,) = watch.contrast_with({"audio": RAIN[None]})
    assert (ended.id, ended.state) == (begun.id, "ended")
