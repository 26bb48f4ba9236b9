"""Why: the words that are nearest to an alert's peak, and what a stream shows now."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bindstream.config import QueryConfig
from bindstream.explaining import NEAREST, SHOWN, Explainer
from bindstream.matcher import CONTRAST_TEMPERATURE, Query, make_query
from bindstream.records import Alert, Embedding
from bindstream.watch import Watch
from tests.test_watch import DOG, OTHER, RAIN, ROOM, S, window

WOLF = (DOG + 0.5 * OTHER) / np.linalg.norm(DOG + 0.5 * OTHER)
BACKGROUND = np.stack([ROOM, RAIN, WOLF, OTHER, *np.eye(16, dtype=np.float32)[8:12]])
TEXTS = ["an empty room", "rain", "a wolf", "a siren", "b1", "b2", "b3", "b4"]


def dog(**config: object) -> Query:
    given = {"id": "dog", "text": "a dog", "on": 5, "off": 3, "share": 0.1, "negatives": ["a cat"]}
    made = QueryConfig.model_validate({**given, **config})
    cat = (DOG + RAIN) / np.sqrt(2)
    return make_query(made, DOG[None], cat[None].astype(np.float32), "m1")


def watching(*queries: Query, evidence: Path | None = None) -> tuple[Watch, Explainer]:
    watch = Watch({"audio": BACKGROUND})
    for query in queries:
        watch.put(query)
    return watch, Explainer(watch, {"audio": BACKGROUND}, {"audio": TEXTS}, evidence)


def barked(watch: Watch) -> list[Alert]:
    """Alerts of a minute in which a dog barks from second 40 to 44, loudest at 42."""
    loud = {40: 1.2, 41: 1.5, 42: 3.0, 43: 1.5}
    return [a for i in range(60) for a in watch.push(window(i, loud.get(i, 0.0)))[1]]


def test_an_alert_names_what_its_query_was_held_against_the_nearest_first() -> None:
    watch, explainer = watching(dog())
    started, ended = (explainer.explained(alert) for alert in barked(watch))
    texts = [text for text, _ in ended.nearest]
    assert len(texts) == NEAREST
    assert texts[0] == "a cat"
    assert "a wolf" not in texts  # which says the same as the query
    peak = window(42, 3.0).vector
    cosines = dict(ended.nearest)
    assert cosines["a cat"] == pytest.approx(float(dog().negatives[0] @ peak), abs=2e-3)
    assert started.nearest != ended.nearest  # its peak came later


def test_it_says_what_the_sensor_showed_with_shares_of_all_phrases_and_queries() -> None:
    rain = make_query(
        QueryConfig(id="rain", text=("raining",)), RAIN[None], np.zeros((0, 16), np.float32), "m1"
    )
    watch, explainer = watching(dog(), rain)
    ended = explainer.explained(barked(watch)[-1])
    assert len(ended.shows) == SHOWN
    assert ended.shows[0][0] == "a dog"
    texts = [text for text, _ in ended.shows]
    assert "raining" in [one.text for one in explainer.shown(RAIN, "mic", "audio", "m1")]
    assert not {"a wolf", "rain"} & set(texts)
    peak = window(42, 3.0).vector
    others = np.stack([ROOM, OTHER, *np.eye(16, dtype=np.float32)[8:12]])
    cosines = np.concatenate(([DOG @ peak, RAIN @ peak], others @ peak))
    raised = np.exp(cosines / CONTRAST_TEMPERATURE)
    assert ended.shows[0][1] == pytest.approx(raised[0] / raised.sum(), abs=5e-3)


def test_a_query_of_examples_is_no_phrase() -> None:
    taught = dataclasses.replace(dog(negatives=[]), negatives=np.zeros((0, 16)), level=0.2)
    watch, explainer = watching(taught)
    (ended,) = [explainer.explained(a) for a in barked(watch) if a.state == "ended"]
    assert ended.shows[0][0] == "a wolf"
    assert ended.nearest[0][0] == "a wolf"


def test_queries_that_do_not_watch_a_stream_have_no_say_on_it() -> None:
    watch, explainer = watching(dog(streams=["yard"]))
    assert "a dog" not in [one.text for one in explainer.shown(DOG, "mic", "audio", "m1")]
    assert "a dog" in [one.text for one in explainer.shown(DOG, "yard", "audio", "m1")]
    assert watch.queries


def test_without_phrases_and_without_the_window_an_alert_stays_as_it_is(tmp_path: Path) -> None:
    watch = Watch({})
    watch.put(dog())
    explainer = Explainer(watch, {}, {}, tmp_path)
    (alert, *_) = barked(watch)
    assert [text for text, _ in explainer.explained(alert).nearest] == ["a cat"]
    elsewhere = dataclasses.replace(alert, stream="yard")
    said = explainer.explained(elsewhere)
    assert (said.nearest, said.shows) == ((), ())
    folder = tmp_path / "dog" / "yard-19700101T000040.000Z"
    assert said == dataclasses.replace(elsewhere, evidence=str(folder))


def test_a_stream_is_explained_as_it_is_now() -> None:
    watch, explainer = watching(dog(), dog(id="quiet", text="quiet", on=90, off=80))
    alerts = barked(watch)
    newest: Embedding = window(60, 3.0)
    scores, more = watch.push(newest)
    said = explainer.now(newest, scores, [*alerts, *more] * 4)
    assert (said.stream, said.start_ns, said.end_ns) == ("mic", 60 * S, 62 * S)
    assert said.shows[0].query in ("dog", "quiet")
    assert [one.query for one in said.queries] == ["dog", "quiet"]  # the nearest to its level first
    assert said.queries[0].z > said.queries[0].on > said.queries[0].off
    assert len(said.alerts) == 5
    yard = explainer.now(window(60, stream="yard"), [], alerts)
    assert (yard.queries, yard.alerts) == ((), ())
