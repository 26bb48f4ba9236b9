"""Vectors of anchors: those of the product, kept, and computed again only when they must be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.training.anchors import Anchor, KeptVectors, PairAnchors, file_vectors, text_vectors
from bindstream.training.loss import contrastive_loss
from bindstream.training.recordings import Grid
from tests.training import made


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load_model(tiny_model, modalities=["audio", "vision", "text"], device="cpu")


def kept(folder: Path, model: str = "one") -> KeptVectors:
    return KeptVectors(folder / "kept", {"audio": model, "vision": model, "text": model})


GRIDS = [Grid(0.0, 1.0, 3), Grid(2.0, 2.0, 2)]


def test_vectors_are_those_that_the_model_gives_the_windows(tmp_path: Path, model: Model) -> None:
    file = made.tone(tmp_path / "a.wav", 400, 6, 0)
    first, second = file_vectors(model, kept(tmp_path), "audio", file, GRIDS, 10)
    assert sorted(first) == [0, 1, 2]
    expected = model.embed("audio", file)  # windows at 0, 2 and 4 s
    np.testing.assert_allclose(first[0][0], expected[0], atol=1e-5)
    np.testing.assert_allclose(first[2], second[0], atol=1e-6)
    np.testing.assert_allclose(second[1][0], expected[2], atol=1e-5)


def test_a_pictures_views_are_its_crops_and_the_first_is_as_the_product_sees_it(
    tmp_path: Path, model: Model
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    (found,) = file_vectors(
        model, kept(tmp_path), "vision", tmp_path / "a.png", [Grid(0.0, 1.0, 1)], 3
    )
    assert found[0].shape == (3, model.dim)
    np.testing.assert_allclose(found[0][0], model.embed("vision", picture)[0], atol=1e-5)
    assert np.abs(found[0][0] - found[0][2]).max() > 1e-3


def test_what_is_kept_is_not_computed_again_unless_file_model_or_windows_change(
    tmp_path: Path, model: Model
) -> None:
    file = made.tone(tmp_path / "a.wav", 400, 6, 0)

    def counts(towers: str = "one", grids: list[Grid] = GRIDS) -> tuple[int, int]:
        store = kept(tmp_path, towers)
        file_vectors(model, store, "audio", file, grids, 1)
        return store.computed, store.reused

    first = file_vectors(model, kept(tmp_path), "audio", file, GRIDS, 1)
    again = file_vectors(model, kept(tmp_path), "audio", file, GRIDS, 1)
    for one, other in zip(first, again, strict=True):
        assert {k: v.tolist() for k, v in one.items()} == {k: v.tolist() for k, v in other.items()}
    assert counts() == (0, 2)
    assert counts(towers="another") == (2, 0)
    assert counts(grids=[*GRIDS, Grid(1.0, 1.0, 1)]) == (1, 2)
    made.tone(file, 400, 6, 1)  # another content of the same size
    assert counts() == (2, 0)


def test_a_damaged_store_is_computed_again(tmp_path: Path, model: Model) -> None:
    file = made.tone(tmp_path / "a.wav", 400, 6, 0)
    (before,) = file_vectors(model, kept(tmp_path), "audio", file, GRIDS[:1], 1)
    (stored,) = (tmp_path / "kept").iterdir()
    stored.write_bytes(stored.read_bytes()[:100])
    store = kept(tmp_path)
    (after,) = file_vectors(model, store, "audio", file, GRIDS[:1], 1)
    assert store.computed == 1
    np.testing.assert_array_equal(before[0], after[0])


def test_phrases_are_computed_once(tmp_path: Path, model: Model) -> None:
    phrases = ["a dog", "glass breaking", "a dog"]
    found = text_vectors(model.encode_text, kept(tmp_path), phrases)
    np.testing.assert_allclose(found["a dog"], model.encode_text(["a dog"])[0], atol=1e-6)
    before = model.texts_encoded
    store = kept(tmp_path)
    text_vectors(model.encode_text, store, phrases)
    assert (store.computed, store.reused, model.texts_encoded) == (0, 1, before)


def anchor(axis: int, kind: str = "audio", recording: int = 0, start_s: float = 0.0) -> Anchor:
    views = np.eye(8, dtype=np.float32)[[axis, axis]]
    return Anchor(views, kind, recording, start_s, 2.0)  # type: ignore[arg-type]


RNG = np.random.default_rng(0)


def labels(*each: str) -> list[frozenset[str]]:
    return [frozenset(one.split()) for one in each]


def test_windows_of_one_anchor_are_not_each_others_negatives() -> None:
    bank = PairAnchors([anchor(0, recording=0), anchor(1, recording=1)])
    targets = bank.targets(labels("0", "1", "0"), RNG)
    assert targets.wanted.tolist() == [0, 1, 0]
    assert targets.anchors.shape == (2, 8)
    assert not targets.ignored.any()
    right = targets.anchors[targets.wanted]
    loss = contrastive_loss(right, targets.anchors, targets.wanted, targets.ignored, 0.05)
    # All that is left: the anchor's two windows share its choice among windows.
    assert loss.item() == pytest.approx(0.5 * np.log(2), abs=1e-3)


def test_the_same_moment_other_kinds_and_what_else_is_heard_do_not_count() -> None:
    bank = PairAnchors(
        [
            anchor(0, recording=0, start_s=0.0),
            anchor(1, recording=0, start_s=1.0),  # overlaps the one before
            anchor(2, recording=0, start_s=2.0),  # and this one the one before
            anchor(3, "text", recording=-1),
            anchor(4, recording=1),
        ]
    )
    targets = bank.targets(labels("0", "1", "2", "3", "4"), RNG)
    ignored = [[int(i) for i in np.flatnonzero(row)] for row in targets.ignored.numpy()]
    assert ignored == [[1, 3], [0, 2, 3], [1, 3], [0, 1, 2, 4], [3]]
    mixed = bank.targets(labels("0 4", "4"), np.random.default_rng(1))
    wanted = mixed.wanted.tolist()
    assert not mixed.ignored[0, wanted[0]]
    assert mixed.ignored[0].sum() == len(mixed.anchors) - 1


def test_a_window_of_a_view_answers_to_that_view() -> None:
    views = np.eye(8, dtype=np.float32)
    bank = PairAnchors([Anchor(views[:3], "vision", 0), Anchor(views[3:6], "vision", 1)])
    targets = bank.targets(labels("0@2", "1@0", "0@1"), RNG)
    rows = targets.anchors[targets.wanted].argmax(1)
    assert rows.tolist() == [2, 3, 1]
    # The picture's other view is no wrong answer, another picture is.
    assert targets.ignored.tolist() == [[False, False, True], [False] * 3, [True, False, False]]


def test_every_view_of_an_anchor_comes_up() -> None:
    bank = PairAnchors([Anchor(np.eye(8, dtype=np.float32)[:5], "text", -1)])
    drawn = {int(bank.targets(labels("0"), RNG).anchors.argmax()) for _ in range(100)}
    assert drawn == set(range(5))


def test_the_middle_is_the_mean_of_phrasings_and_a_pictures_first_view() -> None:
    views = np.eye(8, dtype=np.float32)[:2]
    assert Anchor(views, "vision", 0).middle.tolist() == views[0].tolist()
    text = torch.from_numpy(Anchor(views, "text", 0).middle)
    assert text[:2].tolist() == pytest.approx([2**-0.5] * 2)
