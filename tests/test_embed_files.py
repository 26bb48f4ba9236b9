from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bindstream.averaging import unit_mean, view_vectors
from bindstream.embed_files import FileError, FileVectors, embed_files
from bindstream.embedding import Encoder
from bindstream.errors import ModelError
from bindstream.features.whole import model_inputs
from bindstream.models import load_model
from bindstream.records import ModalityName

cv2 = pytest.importorskip("cv2")
RNG = np.random.default_rng(11)


def write_video(path: Path, seconds: float) -> None:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(round(seconds * 10)):
            picture = RNG.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


def test_each_file_gives_its_own_vectors_whatever_the_batch(
    tmp_path: Path, tiny_model: Path
) -> None:
    soundfile = pytest.importorskip("soundfile")
    files = [tmp_path / f"{i}.wav" for i in range(7)]
    for i, file in enumerate(files):
        soundfile.write(file, RNG.normal(0, 0.1, 16000 * (1 + i)).astype(np.float32), 16000)
    model = load_model(tiny_model, modalities=["audio"], device="cpu")
    for batch in (1, 3, 100):
        results = list(embed_files(model, "audio", files, batch))
        assert [result.file for result in results] == files
        for result in results:
            assert isinstance(result, FileVectors)
            alone = model.encode("audio", model_inputs("audio", result.file))
            np.testing.assert_allclose(result.vectors, alone, atol=1e-5)


def test_averaged_each_file_has_one_vector_whatever_the_batch(
    tmp_path: Path, tiny_model: Path
) -> None:
    soundfile = pytest.importorskip("soundfile")
    files = [tmp_path / f"{i}.wav" for i in range(5)]
    for i, file in enumerate(files):
        soundfile.write(file, RNG.normal(0, 0.1, 8000 * (1 + 2 * i)).astype(np.float32), 16000)
    model = load_model(tiny_model, modalities=["audio"], device="cpu")
    for batch in (2, 100):
        results = list(embed_files(model, "audio", files, batch, average=True))
        assert [result.file for result in results] == files
        for result in results:
            assert isinstance(result, FileVectors)
            assert result.views == 3
            assert result.vectors.shape == (1, model.dim)
            alone = unit_mean(view_vectors(model, "audio", result.file))
            np.testing.assert_allclose(result.vectors[0], alone, atol=1e-5)


def test_averaged_a_bad_file_is_an_error_and_the_rest_goes_on(
    tmp_path: Path, tiny_model: Path
) -> None:
    soundfile = pytest.importorskip("soundfile")
    short, good = tmp_path / "short.wav", tmp_path / "good.wav"
    soundfile.write(short, np.zeros(399, np.float32), 16000)
    soundfile.write(good, RNG.normal(0, 0.1, 16000).astype(np.float32), 16000)
    model = load_model(tiny_model, modalities=["audio"], device="cpu")
    bad, fine = embed_files(model, "audio", [short, good], average=True)
    assert isinstance(bad, FileError)
    assert "too short" in bad.error
    assert isinstance(fine, FileVectors)


class Contrary:
    """A tower whose answers cancel out."""

    fingerprint = "0" * 12

    def encode(self, modality: ModalityName, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        angles = 2 * np.pi * np.arange(len(batch)) / len(batch)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_views_that_cancel_out_are_an_error_and_no_vector(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.wav", RNG.normal(0, 0.1, 16000).astype(np.float32), 16000)
    (result,) = embed_files(Contrary(), "audio", [tmp_path / "a.wav"], average=True)
    assert isinstance(result, FileError)
    assert "cancel out" in result.error


def test_results_come_while_later_files_are_still_unread(tmp_path: Path, tiny_model: Path) -> None:
    files = [tmp_path / f"{i}.png" for i in range(4)]
    for file in files:
        cv2.imwrite(str(file), RNG.integers(0, 255, (40, 50, 3), dtype=np.uint8))
    model = load_model(tiny_model, modalities=["vision"], device="cpu")
    read: list[Path] = []

    def listed() -> object:
        for file in files:
            read.append(file)
            yield file

    results = embed_files(model, "vision", listed(), batch=2)  # type: ignore[arg-type]
    assert next(results).file == files[0]
    assert read == files[:2]


def test_a_file_that_fails_midway_is_an_error_and_no_vectors(
    tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG and nothing more")
    (tmp_path / "b.mp4").write_bytes(b"")
    write_video(tmp_path / "c.mp4", 0.5)
    write_video(tmp_path / "d.mp4", 3)
    files = sorted(tmp_path.iterdir())
    model = load_model(tiny_model, modalities=["vision"], device="cpu")
    *bad, good = embed_files(model, "vision", files)
    assert all(isinstance(result, FileError) and result.error for result in bad)
    assert isinstance(good, FileVectors)
    assert len(good.vectors) >= 1


class Choosy:
    """The vision tower, but for one picture that it gives no vector for."""

    def __init__(self, model: Encoder, refused: Path) -> None:
        self._model = model
        self.fingerprint = model.fingerprint
        self._bad = model_inputs("vision", refused)[0]

    def encode(self, modality: ModalityName, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        if any(np.array_equal(row, self._bad) for row in batch):
            raise ModelError("the tower answers with NaN.")
        return self._model.encode(modality, batch)


def test_a_window_that_has_no_vector_costs_its_file_alone(tmp_path: Path, tiny_model: Path) -> None:
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for file in files:
        cv2.imwrite(str(file), RNG.integers(0, 255, (40, 50, 3), dtype=np.uint8))
    model = load_model(tiny_model, modalities=["vision"], device="cpu")
    results = list(embed_files(Choosy(model, files[2]), "vision", files, batch=3))
    assert [result.file for result in results] == files
    assert [isinstance(result, FileError) for result in results] == [i == 2 for i in range(5)]
    assert results[2] == FileError(files[2], "the tower answers with NaN.")
