"""Examples: files by the product's own windows; what shows nothing is left out or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bindstream.embed_files import FileError
from bindstream.errors import ConfigError
from bindstream.models.encoder import Model
from bindstream.teaching.examples import Example, modality_of, read_examples
from tests.teaching.recordings import RATE_HZ, beeps, noise, write


def read(model: Model, *files: Path) -> list[Example | FileError]:
    return list(read_examples(model, "audio", files))


def test_a_files_vector_is_the_mean_of_its_windows(starter: Model, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", beeps(0, 6.0))
    (found,) = read(starter, path)
    assert isinstance(found, Example)
    windows = starter.embed("audio", path)
    np.testing.assert_allclose(found.vectors, windows, atol=1e-5)
    mean = windows.mean(axis=0)
    np.testing.assert_allclose(found.vector, mean / np.linalg.norm(mean), atol=1e-5)
    assert (len(found.vectors), found.quiet) == (3, 0)


def test_a_long_file_weighs_no_more_than_a_short_one(starter: Model, tmp_path: Path) -> None:
    long, short = write(tmp_path / "a.wav", beeps(0, 12.0)), write(tmp_path / "b.wav", noise(0))
    a, b = read(starter, long, short)
    assert isinstance(a, Example)
    assert isinstance(b, Example)
    assert len(a.vectors) == 6
    assert np.linalg.norm(a.vector) == pytest.approx(np.linalg.norm(b.vector), abs=1e-5)


def test_windows_that_are_silent_or_far_quieter_than_the_rest_are_left_out(
    starter: Model, tmp_path: Path
) -> None:
    silence, pause = np.zeros(2 * RATE_HZ, np.float32), noise(1, loudness=1e-4)
    wave = np.concatenate([silence, beeps(0), pause])
    paused, alone = write(tmp_path / "a.wav", wave), write(tmp_path / "b.wav", beeps(0))
    a, b = read(starter, paused, alone)
    assert isinstance(a, Example)
    assert isinstance(b, Example)
    assert (len(a.vectors), a.quiet) == (1, 2)
    np.testing.assert_allclose(a.vector, b.vector, atol=1e-5)


def test_a_short_sound_counts_by_what_it_holds(starter: Model, tmp_path: Path) -> None:
    (found,) = read(starter, write(tmp_path / "a.wav", beeps(0, 0.5)))
    assert isinstance(found, Example)
    assert (len(found.vectors), found.quiet) == (1, 0)


def test_files_that_hold_nothing_or_nonsense_are_named_and_the_rest_goes_on(
    starter: Model, tmp_path: Path
) -> None:
    nan = beeps(0)
    nan[100] = np.nan
    waves = {"silent": np.zeros(2 * RATE_HZ, np.float32), "nan": nan, "level": np.full(9000, 0.2)}
    files = [write(tmp_path / f"{name}.wav", wave) for name, wave in waves.items()]
    good = write(tmp_path / "good.wav", beeps(1))
    *bad, last = read(starter, *files, good)
    errors = {each.file.stem: each.error for each in bad if isinstance(each, FileError)}
    assert "silence" in errors["silent"]
    assert "NaN" in errors["nan"]
    assert "silence" in errors["level"]
    assert isinstance(last, Example)


def test_a_picture_of_one_colour_shows_nothing(starter: Model, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "grey.png")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "noise.png")
    files = [tmp_path / "grey.png", tmp_path / "noise.png"]
    blank, shown = read_examples(starter, "vision", files)
    assert isinstance(blank, FileError)
    assert "one colour" in blank.error
    assert isinstance(shown, Example)


def test_a_vector_does_not_depend_on_the_company_of_its_file(
    starter: Model, tmp_path: Path
) -> None:
    files = [write(tmp_path / f"{i}.wav", beeps(i, 3.0)) for i in range(3)]
    together, (alone,) = read(starter, *files), read(starter, files[1])
    assert isinstance(together[1], Example)
    assert isinstance(alone, Example)
    assert together[1].vectors.tobytes() == alone.vectors.tobytes()
    assert together[1].sha256 == alone.sha256


@pytest.mark.parametrize(
    ("names", "modality"),
    [
        (["a.wav", "b.FLAC", "c.mp3"], "audio"),
        (["a.jpg", "b.mp4", "c.png"], "vision"),
        (["a.csv", "b.npz"], "imu"),
    ],
)
def test_names_say_what_files_are_of(names: list[str], modality: str) -> None:
    assert modality_of([Path(name) for name in names]) == modality


def test_files_of_several_modalities_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"a\.wav \(audio\), c\.jpg \(vision\).*a query each"):
        modality_of([Path("a.wav"), Path("b.wav"), Path("c.jpg")])


def test_what_cannot_be_told_has_to_be_said(tmp_path: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)).save(tmp_path / "t.png")
    with pytest.raises(ConfigError, match=r"t\.png holds 16-bit values.*--modality"):
        modality_of([tmp_path / "t.png"])
    with pytest.raises(ConfigError, match=r"a\.raw may be of anything.*--modality"):
        modality_of([Path("a.raw")])
    with pytest.raises(ConfigError, match=r"is a folder\. Name its files"):
        modality_of([tmp_path])
