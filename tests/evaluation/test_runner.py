from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bindstream.averaging import unit_mean, view_vectors
from bindstream.errors import DataError
from bindstream.evaluation.records import Asked, Dataset, Item
from bindstream.evaluation.runner import Settings, evaluate, limited
from bindstream.evaluation.sounds import read_esc50
from bindstream.evaluation.templates import templates
from bindstream.evaluation.videos import read_msrvtt
from bindstream.file_inputs import Inputs
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from tests.evaluation import layouts

PLAIN = Settings(templates("plain"))


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load_model(tiny_model, device="cpu", precision="float32")


def test_the_figure_is_what_the_models_own_vectors_give(model: Model, tmp_path: Path) -> None:
    dataset = read_esc50(Asked(layouts.esc50(tmp_path)))
    names = [name for said in dataset.classes.values() for name in said]
    texts = model.encode_text(names)
    hits = []
    for item in dataset.items:
        scores = texts @ unit_mean(view_vectors(model, "audio", item.file))
        own = names.index(dataset.classes[item.labels[0]][0])
        hits.append(bool(scores[own] > np.delete(scores, own).max()))
    told: list[tuple[str, int, int]] = []
    found = evaluate(model, dataset, PLAIN, lambda *step: told.append(step))
    assert found.measured.figures[0].value == pytest.approx(np.mean(hits))
    assert found.measured.folds == {
        "1": pytest.approx(np.mean(hits[:2])),
        "2": pytest.approx(np.mean(hits[2:])),
    }
    assert (found.n, found.sources) == (4, 3)
    assert ("audio of items", 4, 4) in told
    assert ("class names", 3, 3) in told


def test_broken_files_are_named_and_left_out_up_to_a_share(model: Model, tmp_path: Path) -> None:
    dataset = read_esc50(Asked(layouts.esc50(tmp_path)))
    dataset.items[1].file.write_bytes(b"RIFF")
    with pytest.raises(DataError, match="1 of the first 2 items, of 4, give no audio") as caught:
        evaluate(model, dataset, PLAIN)
    assert "1-100038-A-14.wav" in caught.value.what
    assert "--most-broken" in caught.value.fix
    found = evaluate(model, dataset, Settings(templates("plain"), most_broken=0.25))
    assert found.n == 3
    assert [each.file.name for each in found.broken] == ["1-100038-A-14.wav"]
    for item in dataset.items:
        item.file.unlink(missing_ok=True)
    with pytest.raises(DataError, match="no such file"):
        evaluate(model, dataset, Settings(templates("plain"), most_broken=1))


def test_sound_is_weighed_in_where_a_video_has_it(model: Model, tmp_path: Path) -> None:
    pytest.importorskip("av")
    pytest.importorskip("soundfile")
    dataset = read_msrvtt(Asked(layouts.msrvtt(tmp_path)))
    found = evaluate(model, dataset, PLAIN)
    assert found.lacking == {"audio": 1}
    assert found.broken == ()
    assert [figure.metric for figure in found.measured.figures] == [
        "R@1 vision",
        "R@10 vision",
        "R@1 vision+audio",
        "R@10 vision+audio",
    ]
    for item in dataset.items:
        layouts.video(item.file)
    silent = evaluate(model, dataset, PLAIN)
    assert silent.lacking == {"audio": 3}
    assert [figure.metric for figure in silent.measured.figures] == ["R@1 vision", "R@10 vision"]


def test_inputs_are_asked_for_as_they_are_used(model: Model) -> None:
    made: list[int] = []

    def views(modality: ModalityName, item: Item) -> Iterator[Inputs]:
        made.append(item.frame or 0)
        yield np.zeros((1, 224, 224), np.float32)

    ahead: list[int] = []

    def report(what: str, done: int, total: int) -> None:
        if what == "depth of items":
            ahead.append(len(made) - done)

    items = [Item(Path("f.mat"), ("a",), frame=frame) for frame in range(40)]
    dataset = Dataset(items, "classes", ("depth",), {"a": ("a dog",), "b": ("glass",)}, views=views)
    found = evaluate(model, dataset, Settings(templates("plain"), batch=4), report)
    assert found.n == 40
    assert made == list(range(40))
    assert max(ahead) <= 4  # no more than a batch is held at a time


def test_a_limit_draws_items_by_the_seed_and_keeps_their_order() -> None:
    items = [Item(Path(str(index))) for index in range(100)]
    drawn = limited(items, 10, seed=4)
    places = [int(item.file.name) for item in drawn]
    assert len(set(places)) == 10
    assert places == sorted(places)
    assert limited(items, 10, seed=4) == drawn
    assert limited(items, 10, seed=5) != drawn
    assert limited(items, None, seed=4) == limited(items, 200, seed=4) == items
