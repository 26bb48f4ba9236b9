from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.averaging import BATCH, unit_mean, view_vectors
from bindstream.errors import DataError
from bindstream.features.audio import filterbank
from bindstream.file_inputs import file_views
from bindstream.models import load_model
from bindstream.models.encoder import Model
from tests.models import narrow

RNG = np.random.default_rng(2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    directory = tmp_path_factory.mktemp("model")
    narrow.save(directory)
    return load_model(directory, modalities=["audio", "vision", "imu"], device="cpu")


def test_a_sound_is_the_mean_of_three_clips_made_a_unit_vector(
    model: Model, tmp_path: Path
) -> None:
    soundfile = pytest.importorskip("soundfile")
    wave = RNG.normal(0, 0.1, 16000 * 6).astype(np.float32)
    wave[32000:] *= np.linspace(1, 0.01, 64000, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    clips = [filterbank(wave[start : start + 32000]) for start in (0, 32000, 64000)]
    first, second, third = (model.encode("audio", clip[None])[0] for clip in clips)
    mean = (first + second + third) / 3
    found = unit_mean(view_vectors(model, "audio", tmp_path / "a.wav"))
    assert np.linalg.norm(mean) < 1 - 1e-5  # the clips do differ
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


def test_a_recording_of_more_windows_than_a_batch_has_a_vector_for_each(
    model: Model, tmp_path: Path
) -> None:
    times_s = np.arange(0, 30, 0.02)
    rows = RNG.normal([0, 0, 9.81, 0, 0, 0], 1, (len(times_s), 6))
    header = "time_s,ax,ay,az,gx,gy,gz"
    columns = np.column_stack([times_s, rows])
    np.savetxt(tmp_path / "log.csv", columns, delimiter=",", header=header, comments="")
    vectors = view_vectors(model, "imu", tmp_path / "log.csv")
    assert len(vectors) > 20 > BATCH
    alone = [model.encode("imu", row[None])[0] for row in file_views("imu", tmp_path / "log.csv")]
    np.testing.assert_allclose(vectors, alone, atol=1e-5)


def test_a_mean_is_a_unit_vector_between_its_parts() -> None:
    mean = unit_mean(np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(mean, [0.5**0.5, 0.5**0.5])
    assert mean.dtype == np.float32


@pytest.mark.parametrize("fault", [np.array([[1, 0], [-1, 0]]), np.full((2, 2), np.nan)])
def test_vectors_without_a_common_direction_have_no_mean(fault: np.ndarray) -> None:
    with pytest.raises(DataError, match="cancel out"):
        unit_mean(fault.astype(np.float32))


def test_a_file_that_cannot_be_read_is_named(model: Model, tmp_path: Path) -> None:
    (tmp_path / "junk.wav").write_bytes(b"junk")
    with pytest.raises(DataError) as caught:
        view_vectors(model, "audio", tmp_path / "junk.wav")
    assert caught.value.where == str(tmp_path / "junk.wav")
    assert caught.value.fix
