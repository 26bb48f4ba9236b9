"""The configurations that come with bindstream can be run as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.config import check_config, load_config
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
            texts = (*query.text, *query.negatives)
            assert [w for text in texts for w in model.unknown_words(text)] == [], path


def test_there_is_one_for_each_use() -> None:
    assert [path.stem for path in CONFIGS] == ["demo", "laptop", "robot", "wearable"]


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
