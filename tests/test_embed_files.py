from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bindstream.embed_files import FileError, FileVectors, embed_files, file_inputs
from bindstream.embedding import Encoder
from bindstream.errors import DataError, ModelError
from bindstream.features.whole import model_inputs
from bindstream.modalities import MODALITIES
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


def test_sixteen_bit_pictures_are_read_in_their_unit(tmp_path: Path) -> None:
    warm_k = 300 + 10 * RNG.random((60, 80))
    cv2.imwrite(str(tmp_path / "warm.png"), (warm_k * 100).astype(np.uint16))
    (inputs,) = file_inputs("thermal", tmp_path / "warm.png")
    celsius = ((warm_k * 100).astype(np.uint16) / 100 - 273.15).astype(np.float32)
    np.testing.assert_allclose(inputs, model_inputs("thermal", celsius)[0], atol=1e-3)
    far_mm = RNG.integers(500, 4000, (60, 80)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "far.png"), far_mm)
    (inputs,) = file_inputs("depth", tmp_path / "far.png")
    metres = (far_mm / 1000).astype(np.float32)
    np.testing.assert_allclose(inputs, model_inputs("depth", metres)[0], atol=1e-3)


def test_an_eight_bit_picture_is_no_thermal_picture(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "flat.png"), RNG.integers(0, 255, (60, 80), dtype=np.uint8))
    with pytest.raises(DataError, match="16-bit"):
        list(file_inputs("thermal", tmp_path / "flat.png"))


def test_motion_logs_are_cut_into_windows(tmp_path: Path) -> None:
    times_s = np.arange(0, 12, 0.01)
    rows = np.column_stack([times_s, np.tile([0, 0, 9.81, 0, 0, 0], (len(times_s), 1))])
    header = "time_s,ax,ay,az,gx,gy,gz"
    np.savetxt(tmp_path / "log.csv", rows, delimiter=",", header=header, comments="")
    inputs = list(file_inputs("imu", tmp_path / "log.csv"))
    assert len(inputs) >= 6
    assert all(each.shape == MODALITIES["imu"].model_input for each in inputs)


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
