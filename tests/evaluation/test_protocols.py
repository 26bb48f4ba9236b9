"""Every row of the table, on a tiny dataset of its layout, through the product's own towers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.errors import ConfigError, DataError
from bindstream.evaluation.protocols import PROTOCOLS, protocol_of, read_dataset
from bindstream.evaluation.records import Asked
from bindstream.evaluation.runner import Settings, evaluate
from bindstream.evaluation.templates import templates
from bindstream.models import load_model
from bindstream.models.encoder import Model
from tests.evaluation.layouts import LAYOUTS

pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load_model(tiny_model, device="cpu", precision="float32")


def test_every_protocol_has_a_layout_to_be_tested_with() -> None:
    assert set(LAYOUTS) == set(PROTOCOLS)


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_item_gets_its_vector_and_every_published_metric_its_figure(
    name: str, model: Model, tmp_path: Path
) -> None:
    protocol = PROTOCOLS[name]
    dataset = read_dataset(protocol, Asked(LAYOUTS[name](tmp_path)))
    result = evaluate(model, dataset, Settings(templates("plain")))
    assert result.broken == ()
    assert result.n == len(dataset.items) >= 2
    found = {figure.metric: figure for figure in result.measured.figures}
    assert set(protocol.published) <= set(found)
    for figure in found.values():
        assert 0 <= figure.value <= 1
        assert 0 <= figure.interval.low <= figure.interval.high <= 1


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_an_empty_folder_is_told_what_it_should_hold_and_where_that_is_found(
    name: str, tmp_path: Path
) -> None:
    if name == "sund":
        pytest.importorskip("scipy")
    protocol = PROTOCOLS[name]
    with pytest.raises(DataError) as caught:
        read_dataset(protocol, Asked(tmp_path))
    assert caught.value.where == str(tmp_path)
    assert protocol.layout in caught.value.fix
    assert protocol.found in caught.value.fix


def test_a_protocol_there_is_not_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="esc51") as caught:
        protocol_of("esc51")
    assert "esc50" in caught.value.fix


def test_rows_whose_split_was_never_published_say_so() -> None:
    for name in ("llvip", "ego4d"):
        assert "never published" in PROTOCOLS[name].approximate
    assert PROTOCOLS["esc50"].approximate == ""
