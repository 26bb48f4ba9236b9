"""The configurations that come with bindstream can be run as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream import Alert, Embedding, Pipeline
from bindstream.config import check_config, json_schema, load_config
from bindstream.config.yaml_text import parse
from bindstream.demo import demo_config
from bindstream.models import load_model
from bindstream.scene import CATALOGUE
from bindstream.sources.scene import SceneOptions

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_example_is_free_of_problems(path: Path) -> None:
    assert [str(problem) for problem in check_config(path)] == []


def test_the_model_that_ships_knows_every_word_of_the_examples() -> None:
    model = load_model("starter", modalities=["text"], device="cpu")
    for path in CONFIGS:
        for query in load_config(path).queries:
            assert [w for text in query.texts for w in model.unknown_words(text)] == [], path


def test_there_is_one_for_each_use() -> None:
    named = ["by_example", "demo", "laptop", "robot", "rules", "wearable"]
    assert [path.stem for path in CONFIGS] == named


def test_what_is_watched_for_by_example_is_found_where_it_happens() -> None:
    config = load_config(next(path for path in CONFIGS if path.stem == "by_example"))
    scene = config.streams[0].source
    assert isinstance(scene, SceneOptions)
    fast = scene.model_copy(update={"speed": "max"})
    stream = config.streams[0].model_copy(update={"source": fast})
    model = config.model.model_copy(update={"device": "cpu", "threads": 1})
    records = list(Pipeline(config.model_copy(update={"streams": (stream,), "model": model})))
    begun_ns = min(r.start_ns for r in records if isinstance(r, Embedding))
    alerts = [r for r in records if isinstance(r, Alert) and r.state == "started"]
    found = {alert.query: (alert.start_ns - begun_ns) / 1e9 for alert in alerts}
    assert len(found) == len(alerts) == len(scene.script().events)
    for event in scene.script().events:
        query = "glass" if event.kind == "glass_breaking" else event.kind
        assert found[query] == pytest.approx(event.start_s, abs=3)


def test_every_event_of_the_demo_is_watched_for_where_it_shows() -> None:
    config = load_config(demo_config())
    scene = config.streams[0].source
    assert isinstance(scene, SceneOptions)
    assert all(stream.source == scene for stream in config.streams)
    queries = {query.id: query for query in config.queries}
    kinds = {event.kind for event in scene.script().events}
    assert set(queries) == kinds
    for kind in kinds:
        assert set(queries[kind].modalities or ()) <= set(CATALOGUE[kind].modalities)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_schema_for_editors_takes_each(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")  # which comes with Ray
    jsonschema.validate(parse(path.read_text())[0], json_schema())
