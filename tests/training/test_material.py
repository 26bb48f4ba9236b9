"""Windows to train on and to measure with: paired by time, cut alike, held out by source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from bindstream.errors import ConfigError, DataError
from bindstream.features.audio import MEAN, STD
from bindstream.models import load_model
from bindstream.models.directory import read_spec
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.training.anchoring import Anchored, anchor, moments
from bindstream.training.anchors import KeptVectors, PairAnchors
from bindstream.training.config import DataConfig, TowerTraining, TrainConfig
from bindstream.training.crops import CROPS
from bindstream.training.material import Material, prepare
from bindstream.training.pairs import Pair, Pairs, read_pairs
from bindstream.training.recipe import Recipe
from bindstream.training.recordings import model_input
from tests.training import made

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load_model(tiny_model, modalities=["audio", "vision", "text"], device="cpu")


def read(
    base: Path, manifest: Path, modality: ModalityName, **given: Any
) -> tuple[TrainConfig, Pairs]:
    tower = TowerTraining(modality=modality, recipe=Recipe(steps=1))  # type: ignore[arg-type]
    data = DataConfig(manifest=manifest, modality=modality)  # type: ignore[arg-type]
    folder = manifest.parent
    config = TrainConfig(base=str(base), out=folder / "out", towers=(tower,), data=(data,), **given)
    return config, read_pairs(config, read_spec(base), lambda *_: None)


def prepared(
    model: Model, folder: Path, modality: ModalityName, pairs: Sequence[Pair], views: int = 10
) -> tuple[Material, Anchored]:
    towers = dict.fromkeys(model.modalities, "tiny")
    anchored = anchor(pairs, model, KeptVectors(folder / "kept", towers), views, lambda *_: None)
    material = Material(modality, 0.1, views)
    prepare(material, pairs, anchored.of, lambda *_: None)
    assert [*anchored.problems, *material.problems] == []
    return material, anchored


def steps(folder: Path, count: int, source: str = "") -> Path:
    """Recordings of a microphone and a motion sensor at once, the sound 1.5 s later."""
    rows = []
    for n in range(count):
        rates = RNG.permutation(4)
        made.sung(folder / f"{n}.wav", [300, *(300 * 2.0**r for r in rates)], 4, n)
        made.motion(folder / f"{n}.npz", [1 + 2 * r for r in rates], 4, n)
        rows.append(
            {"file": f"{n}.npz", "with_file": f"{n}.wav", "with_modality": "audio", "offset_s": 4}
        )
    return made.listed(folder / "pairs.csv", rows)


def test_windows_are_paired_with_the_same_moment_of_the_other_recording(
    tiny_model: Path, model: Model, tmp_path: Path
) -> None:
    _, pairs = read(tiny_model, steps(tmp_path, 1), "imu", held_out=0)
    (pair,) = pairs.pairs
    material, anchored = prepared(model, tmp_path, "imu", pairs.pairs)
    when = moments(pair)
    assert when is not None
    # A window of motion is 5 s, one of sound 2 s: 1.5 s are left on either side.
    assert (when.first, when.grid.start_s) == (0, 4 + 1.5)
    assert material.windows == 12
    sound = tmp_path / "0.wav"
    for k, number in anchored.of[0].items():
        start = round((5.5 + k) * 16000)
        wave = made.soundfile.read(sound, dtype="float32")[0][start : start + 32000]
        expected = model.encode("audio", model_input("audio", wave)[None])[0]
        np.testing.assert_allclose(anchored.anchors[number].middle, expected, atol=1e-4)


def test_held_out_sources_are_never_trained_on(
    tiny_model: Path, model: Model, tmp_path: Path
) -> None:
    _, pairs = read(tiny_model, steps(tmp_path, 5), "imu")
    material, anchored = prepared(model, tmp_path, "imu", pairs.pairs)
    out = [place for place, pair in enumerate(pairs.pairs) if pair.held_out]
    assert len(out) == 1
    theirs = {str(number) for place in out for number in anchored.of[place].values()}
    rng = np.random.default_rng(0)
    drawn = {name for _ in range(40) for each in material.next_batch(16, rng)[1] for name in each}
    every = {str(number) for of in anchored.of for number in of.values()}
    assert theirs
    assert drawn == every - theirs
    held_out = material.held_out
    assert held_out is not None
    assert {str(number) for number in held_out.anchors} == theirs
    assert (material.sources, held_out.sources) == (4, 1)
    # Not even their readings are there.
    windows = np.stack([window for window, _ in material.motions])
    for row in held_out.inputs.astype(np.float32):
        assert np.abs(windows - row).max(axis=(1, 2)).min() > 0.05


def test_sound_of_a_moment_is_cut_at_that_moment_and_sound_of_a_class_anywhere(
    tiny_model: Path, model: Model, tmp_path: Path
) -> None:
    made.sung(tmp_path / "a.wav", [400, 3000, 400], 4, 0)
    rows = [{"file": "a.wav", "class": "dog"}, {"file": "a.wav", "text": "silence", "start_s": 6}]
    _, pairs = read(tiny_model, made.listed(tmp_path / "p.csv", rows), "audio", held_out=0)
    material, _ = prepared(model, tmp_path, "audio", pairs.pairs)
    assert [piece.at for piece in material.sounds] == [None, None]
    assert [len(piece.mel) for piece in material.sounds] == [1198, 598]
    assert material.windows == 11 + 5
    x, labels = material.next_batch(64, np.random.default_rng(0))
    assert x.shape == (64, 1, 128, 204)
    assert {frozenset({"0"}), frozenset({"1"})} <= set(labels)


def test_a_still_is_of_every_moment(tiny_model: Path, model: Model, tmp_path: Path) -> None:
    made.tone(tmp_path / "a.wav", 400, 6, 0)
    made.tone(tmp_path / "b.wav", 900, 6, 1)
    for name in "ab":
        picture = RNG.integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    rows = [{"file": f"{n}.wav", "with_file": f"{n}.png", "with_modality": "vision"} for n in "ab"]
    _, pairs = read(tiny_model, made.listed(tmp_path / "p.csv", rows), "audio", held_out=0)
    material, anchored = prepared(model, tmp_path, "audio", pairs.pairs, views=4)
    assert [anchor.vectors.shape for anchor in anchored.anchors] == [(4, 16)] * 2
    assert [set(of.values()) for of in anchored.of] == [{0}, {1}]
    assert [piece.at for piece in material.sounds] == [0, 100, 200, 300, 400] * 2


def test_depth_and_its_picture_are_cut_to_the_same_part(
    tiny_model: Path, model: Model, tmp_path: Path
) -> None:
    """Each view of a depth window is labelled with the picture's view of the same part."""
    down, across = np.meshgrid(np.linspace(0, 9, 120), np.linspace(0, 7, 160), indexing="ij")
    shares = [0.5 + 0.2 * np.sin(down + n) + 0.2 * np.sin(across * (n + 1)) for n in range(2)]
    rows = []
    for n, share in enumerate(shares):  # of 75 pixels of disparity
        millimetres = 1000 * 0.075 * 518.86 / 75 / share
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.rint(millimetres).astype(np.uint16))
        picture = np.repeat(np.rint(255 * share).astype(np.uint8)[..., None], 3, -1)
        Image.fromarray(picture).save(tmp_path / f"{n}.jpg")
        rows.append({"file": f"{n}.png", "with_file": f"{n}.jpg", "with_modality": "vision"})
    _, pairs = read(tiny_model, made.listed(tmp_path / "p.csv", rows), "depth", held_out=0)
    material, anchored = prepared(model, tmp_path, "depth", pairs.pairs)
    assert all(sight.views == CROPS for sight in material.sights)
    x, labels = material.next_batch(60, np.random.default_rng(0))
    seen = set()
    for row, shown in zip(x, labels, strict=True):
        number, view = (int(part) for part in next(iter(shown)).split("@"))
        frame = shares[number][None, ..., None].astype(np.float32)
        alike = [
            np.corrcoef(row.ravel(), model_input("depth", frame, crop).ravel())[0, 1]
            for crop in CROPS
        ]
        assert int(np.argmax(alike)) == view
        assert alike[view] > 0.95
        seen.add(view)
    assert seen == set(range(len(CROPS)))
    targets = PairAnchors(anchored.anchors).targets(labels, RNG)
    for label, wanted in zip(labels, targets.wanted.tolist(), strict=True):
        number, view = (int(part) for part in next(iter(label)).split("@"))
        np.testing.assert_array_equal(
            targets.anchors[wanted].numpy(), anchored.anchors[number].vectors[view]
        )


def test_pauses_of_held_out_sounds_are_left_out(
    tiny_model: Path, model: Model, tmp_path: Path
) -> None:
    loud = 0.3 * np.sin(np.arange(4 * 16000) / 8)
    quiet = RNG.normal(0, 1e-4, 4 * 16000)
    rows = []
    for name in ("dog", "glass"):
        for split in ("train", "held_out"):
            file = tmp_path / f"{name}_{split}.wav"
            made.soundfile.write(file, np.concatenate([loud, quiet]), 16000)
            rows.append({"file": file.name, "class": name, "split": split})
    _, pairs = read(tiny_model, made.listed(tmp_path / "p.csv", rows), "audio")
    material, _ = prepared(model, tmp_path, "audio", pairs.pairs)
    held_out = material.held_out
    assert held_out is not None
    assert len(held_out.inputs) == 4  # of eight
    assert (held_out.inputs.astype(np.float32) * STD + MEAN).max(axis=(1, 2, 3)).min() > 0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"file": "no.wav", "class": "dog"}], ":2: file: there is no "),
        ([{"file": ".", "class": "dog"}], "is a folder"),
        ([{"file": "bad.wav", "class": "dog"}], "bad.wav cannot be used: the sound file cannot be"),
        ([{"file": "a.wav", "class": "dog", "start_s": 9}], "start_s: the recording ends at 6.00"),
        ([{"file": "a.wav", "class": "dog", "end_s": 9}], "end_s: the recording ends at 6.00 s"),
        (
            [{"file": "a.wav", "class": "dog", "start_s": 5.99}],
            "0.01 s are less than audio takes (0.025 s)",
        ),
        (
            [{"file": "a.wav", "with_file": "no.mp4", "with_modality": "vision"}],
            ":2: with_file: there is no ",
        ),
        (
            [{"file": "a.wav", "with_file": "a.wav", "with_modality": "audio"}],
            "the audio tower is trained here, and cannot be an anchor too",
        ),
        ([{"file": "a.wav", "class": "dog"}], "all rows of audio are paired with the same words"),
        (
            [{"file": "a.wav", "class": "dog", "split": "held_out"}],
            "all rows of audio are held out",
        ),
        (
            [{"file": "a.wav", "class": "dog"}, {"file": "b.wav", "class": "Dog"}],
            "is said as",
        ),
    ],
)
def test_what_is_wrong_with_recordings_is_said_by_line(
    tiny_model: Path, tmp_path: Path, rows: list[dict[str, Any]], said: str
) -> None:
    made.tone(tmp_path / "a.wav", 400, 6, 0)
    made.tone(tmp_path / "b.wav", 400, 6, 0)
    (tmp_path / "bad.wav").write_bytes(b"RIFF and no more")
    given = {"classes": {"dog": ("a dog",), "Dog": ("a dog",)}} if len(rows) == 2 else {}
    with pytest.raises(ConfigError) as raised:
        read(tiny_model, made.listed(tmp_path / "p.csv", rows), "audio", **given)
    assert said in str(raised.value)


def test_a_recording_that_breaks_off_and_one_that_never_meets_the_other_are_named(
    tiny_model: Path, model: Model, tmp_path: Path
) -> None:
    made.motion(tmp_path / "a.npz", [1], 8, 0)
    made.motion(tmp_path / "b.npz", [1], 8, 0)
    made.tone(tmp_path / "a.wav", 400, 8, 0)
    rows = [
        {"file": "a.npz", "with_file": "a.wav", "with_modality": "audio", "offset_s": 60},
        {"file": "b.npz", "with_file": "a.wav", "with_modality": "audio"},
    ]
    _, pairs = read(tiny_model, made.listed(tmp_path / "p.csv", rows), "imu", held_out=0)
    kept = KeptVectors(tmp_path / "kept", dict.fromkeys(model.modalities, "tiny"))
    anchored = anchor(pairs.pairs, model, kept, 1, lambda *_: None)
    (problem,) = anchored.problems
    assert "p.csv:2: with_file: no moment is in both recordings" in str(problem)
    (tmp_path / "b.npz").write_bytes(b"PK and no more")
    material = Material("imu", 0.1, 1)
    prepare(material, pairs.pairs, anchored.of, lambda *_: None)
    (problem,) = material.problems
    assert "p.csv:3: file:" in str(problem)
    assert "b.npz cannot be used" in str(problem)


def test_sound_that_is_no_number_and_windows_beyond_the_memory_are_refused(
    tiny_model: Path, model: Model, tmp_path: Path
) -> None:
    made.tone(tmp_path / "a.wav", 400, 3, 0)
    wave = RNG.normal(0, 0.1, 48000).astype(np.float32)
    wave[40000] = np.nan
    made.soundfile.write(tmp_path / "b.wav", wave, 16000, subtype="FLOAT")
    rows = [{"file": "a.wav", "class": "dog"}, {"file": "b.wav", "class": "glass"}]
    _, pairs = read(tiny_model, made.listed(tmp_path / "p.csv", rows), "audio", held_out=0)
    kept = KeptVectors(tmp_path / "kept", dict.fromkeys(model.modalities, "tiny"))
    of = anchor(pairs.pairs, model, kept, 1, lambda *_: None).of
    material = Material("audio", 0.1, 1)
    prepare(material, pairs.pairs, of, lambda *_: None)
    (problem,) = material.problems
    assert "p.csv:3: file:" in str(problem)
    with pytest.raises(DataError, match="Train on shorter intervals"):
        prepare(Material("audio", 0.1, 1), pairs.pairs, of, lambda *_: None, filled=1 << 60)
