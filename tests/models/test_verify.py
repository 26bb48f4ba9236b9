from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.averaging import view_vectors
from bindstream.errors import ModelError
from bindstream.models import load_model
from bindstream.models.directory import ModelSpec, read_spec
from bindstream.models.sizes import HUGE
from bindstream.models.verify import (
    PUBLISHED,
    TEXTS,
    Comparison,
    check_files,
    check_towers,
    compare,
    why_not_published,
)
from tests.models import aligned, narrow

pytest.importorskip("soundfile")

# The tables of ImageBind's README, as printed there.
README = {
    ("vision", "text"): [
        [9.9761e-01, 2.3694e-03, 1.8612e-05],
        [3.3836e-05, 9.9994e-01, 2.4118e-05],
        [4.7997e-05, 1.3496e-02, 9.8646e-01],
    ],
    ("audio", "text"): np.eye(3),
    ("vision", "audio"): [
        [0.8070, 0.1088, 0.0842],
        [0.1036, 0.7884, 0.1079],
        [0.0018, 0.0022, 0.9960],
    ],
}
IMAGES = [Path(f"{name}_image.jpg") for name in ("dog", "car", "bird")]
SOUNDS = [Path(f"{name}_audio.wav") for name in ("dog", "car", "bird")]


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> aligned.Things:
    return aligned.save(tmp_path_factory.mktemp("things"), aligned.SCALES)


def tables(things: aligned.Things, *, published: bool = False) -> list[Comparison]:
    model = load_model(things.directory, modalities=("vision", "audio", "text"), device="cpu")
    spec = read_spec(things.directory)
    return compare(model, spec, things.images, things.sounds, TEXTS, published=published)


def test_tables_are_softmaxes_of_scaled_means_over_views(things: aligned.Things) -> None:
    model = load_model(things.directory, device="cpu")
    vision = np.concatenate([view_vectors(model, "vision", path) for path in things.images])
    audio = np.stack([view_vectors(model, "audio", path).mean(axis=0) for path in things.sounds])
    assert np.linalg.norm(audio, axis=1).min() < 0.9999  # a mean, not a unit vector
    text = model.encode_text(TEXTS)
    logits = (100 * vision @ text.T, 2000 * audio @ text.T, 20 * vision @ audio.T)
    found = tables(things)
    assert [table.name for table in found] == ["vision x text", "audio x text", "vision x audio"]
    for table, product in zip(found, logits, strict=True):
        raised = np.exp(product - product.max(axis=1, keepdims=True))
        expected = raised / raised.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(table.shares, expected, atol=1e-4)


def test_a_model_without_scales_is_compared_by_its_temperatures(tmp_path: Path) -> None:
    things = aligned.save(tmp_path, {})
    model = load_model(things.directory, device="cpu")
    found = tables(things)[0].shares
    cosines = np.concatenate([view_vectors(model, "vision", path) for path in things.images])
    expected = model.probability("vision", cosines @ model.encode_text(TEXTS).T)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_things_that_are_told_apart_hold(things: aligned.Things) -> None:
    for table in tables(things):
        assert table.leads == [True, True, True]
        assert table.holds


def test_things_in_another_order_do_not_hold(things: aligned.Things) -> None:
    model = load_model(things.directory, device="cpu")
    spec = read_spec(things.directory)
    sounds = [things.sounds[i] for i in (0, 2, 1)]
    found = compare(model, spec, things.images, sounds, TEXTS, published=False)
    assert [table.holds for table in found] == [True, False, False]
    assert found[1].leads == [True, False, False]


def test_a_tie_is_no_lead() -> None:
    assert Comparison("vision", "text", np.full((2, 2), 0.5)).leads == [False, False]


@pytest.mark.parametrize("pair", list(README))
def test_the_readme_s_own_tables_are_reproduced(pair: tuple[str, str]) -> None:
    figures = PUBLISHED[pair]
    shares = np.array(README[pair], float)
    assert Comparison(*pair, shares, figures).holds
    for row in range(3):
        off = shares.copy()
        off[row, row] -= 1.2 * figures.tolerance
        assert not Comparison(*pair, off, figures).holds


def test_a_table_that_only_ranks_right_is_not_the_published_one(things: aligned.Things) -> None:
    found = {table.name: table for table in tables(things, published=True)}
    assert found["audio x text"].holds
    assert not found["vision x audio"].holds
    assert all(found["vision x audio"].leads)


def huge(**changes: object) -> ModelSpec:
    said = {"name": "huge", "licence": "CC BY-NC-SA 4.0", "dim": 1024, "towers": HUGE}
    return ModelSpec.model_validate({**said, "scales": aligned.SCALES, **changes})


def test_published_figures_are_for_the_published_model_and_files(things: aligned.Things) -> None:
    assert why_not_published(huge(), IMAGES, SOUNDS, TEXTS) == ""
    for spec, images, sounds, texts, why in (
        (read_spec(things.directory), IMAGES, SOUNDS, TEXTS, "not the published imagebind_huge"),
        (huge(scales={}), IMAGES, SOUNDS, TEXTS, "not the published imagebind_huge"),
        (huge(), IMAGES, SOUNDS, ("a dog", "a car", "a bird"), "texts"),
        (huge(), IMAGES[::-1], SOUNDS, TEXTS, "in this order"),
        (huge(), IMAGES, SOUNDS[:2], TEXTS, "in this order"),
        (huge(), [*IMAGES, Path("cat.jpg")], SOUNDS, TEXTS, "in this order"),
    ):
        assert why in why_not_published(spec, images, sounds, texts)


def test_every_file_of_the_directory_is_checked(tmp_path: Path) -> None:
    narrow.save(tmp_path)
    spec = read_spec(tmp_path)
    assert check_files(tmp_path, spec) == len(list(tmp_path.glob("*.*"))) - 1
    with (tmp_path / "thermal.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    with pytest.raises(ModelError, match="SHA-256") as caught:
        check_files(tmp_path, spec)
    assert caught.value.where.endswith("thermal.safetensors")


def test_a_model_without_a_tower_that_is_needed_is_refused() -> None:
    towers = {modality: HUGE[modality] for modality in ("vision", "imu")}
    with pytest.raises(ModelError, match="no tower for audio, text") as caught:
        check_towers(Path("huge"), huge(towers=towers))
    assert "Import it again" in caught.value.fix
