"""Windows cut for training are those that the product embeds, at the times asked for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bindstream.errors import BindstreamError
from bindstream.file_inputs import file_inputs
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.training.crops import CROPS, WHOLE, Crop
from bindstream.training.recordings import STILL_S, Grid, is_still, length_s, model_input, seen
from tests.sources.recordings import write_gray16, write_h264
from tests.training import made

RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[ModalityName, Path]]:
    """A recording of each kind: 6 s, motion 12 s, pictures."""
    folder = tmp_path_factory.mktemp("recordings")
    frames = [np.roll(RNG.integers(0, 256, (64, 96, 3), np.uint8), n, 1) for n in range(60)]
    write_h264(folder / "clip.mp4", frames)
    raw = [(29000 + 20 * n + RNG.integers(0, 900, (48, 64))).astype(np.uint16) for n in range(60)]
    write_gray16(folder / "heat.mkv", raw)
    write_gray16(folder / "deep.mkv", [(r - 28000).astype(np.uint16) for r in raw])
    Image.fromarray(frames[0]).save(folder / "still.png")
    cv2.imwrite(str(folder / "deep.png"), (raw[0] - 28000).astype(np.uint16))
    made.tone(folder / "tone.wav", 500, 6, 1)
    made.motion(folder / "shaken.npz", [1, 3], 6, 2)
    return {
        "video": ("vision", folder / "clip.mp4"),
        "heat": ("thermal", folder / "heat.mkv"),
        "depth": ("depth", folder / "deep.mkv"),
        "picture": ("vision", folder / "still.png"),
        "depth picture": ("depth", folder / "deep.png"),
        "sound": ("audio", folder / "tone.wav"),
        "motion": ("imu", folder / "shaken.npz"),
    }


KINDS = ("video", "heat", "depth", "picture", "depth picture", "sound", "motion")


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_those_that_the_product_makes_of_the_file(
    files: dict[str, tuple[ModalityName, Path]], kind: str
) -> None:
    modality, file = files[kind]
    expected = list(file_inputs(modality, file))
    hop_s = MODALITIES[modality].window_s if modality == "audio" else MODALITIES[modality].hop_s
    grid = Grid(0.0, hop_s, len(expected))
    found = {k: model_input(modality, s.data) for _, k, s in seen(modality, file, [grid])}
    assert sorted(found) == list(range(len(expected)))
    for k, inputs in enumerate(expected):
        np.testing.assert_allclose(found[k], inputs, atol=1e-5)


@pytest.mark.parametrize("kind", ["video", "heat", "sound", "motion"])
def test_a_grid_that_begins_later_gives_the_same_windows(
    files: dict[str, tuple[ModalityName, Path]], kind: str
) -> None:
    modality, file = files[kind]
    early, late = Grid(0.0, 0.5, 9), Grid(1.5, 0.5, 2)
    windows: list[dict[int, np.ndarray]] = [{}, {}]
    for place, k, shown in seen(modality, file, [early, late]):
        assert not shown.void
        windows[place][k] = model_input(modality, shown.data)
    assert sorted(windows[1]) == [0, 1]
    if modality != "thermal":  # whose grey follows what went before
        for k in (0, 1):
            np.testing.assert_allclose(windows[1][k], windows[0][k + 3], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_known_without_reading_all_of_it(
    files: dict[str, tuple[ModalityName, Path]], kind: str
) -> None:
    modality, file = files[kind]
    expected = {"motion": 12.0, "picture": STILL_S, "depth picture": STILL_S}.get(kind, 6.0)
    assert length_s(modality, file) == pytest.approx(expected, abs=0.11)
    assert is_still(modality, file) == (expected == STILL_S)


@pytest.mark.parametrize("name", ["a.wav", "a.png", "a.mp4", "a.csv", "a.npz", "a.mp3"])
def test_a_broken_file_is_said_to_be_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"neither this nor that")
    modality: ModalityName = {".png": "vision", ".mp4": "vision", ".csv": "imu", ".npz": "imu"}.get(
        Path(name).suffix, "audio"
    )  # type: ignore[assignment]
    with pytest.raises(BindstreamError):
        length_s(modality, tmp_path / name)


def test_a_window_that_saw_too_little_is_void(tmp_path: Path) -> None:
    times = np.concatenate([np.arange(0, 4000, 10), np.arange(9000, 16000, 10)])
    rows = np.tile(np.float32([0, 0, 9.8, 0, 0, 0]), (len(times), 1))
    np.savez(tmp_path / "gap.npz", time_ms=times, acc_gyro=rows)
    found = {k: s.void for _, k, s in seen("imu", tmp_path / "gap.npz", [Grid(0.0, 1.0, 12)])}
    assert all(found[k] for k in (0, 3, 6))
    assert not found[10]


def test_two_sensors_are_cut_to_the_same_part() -> None:
    """A depth frame of another size shows, cut by each crop, what the picture shows."""
    ramp = np.linspace(0, 1, 240)
    scene = 0.5 * ramp[:240, None] + 0.5 * np.linspace(0, 1, 320)[None]
    colour = np.repeat(np.rint(scene * 255).astype(np.uint8)[None, ..., None], 3, -1)
    grey = cv2.resize(scene.astype(np.float32), (160, 120), interpolation=cv2.INTER_AREA)
    seen_in: list[np.ndarray] = []
    for crop in CROPS:
        picture = model_input("vision", colour, crop)[0, 0]
        depth = model_input("depth", grey[None, ..., None], crop)[0]
        picture = (picture - picture.mean()) / picture.std()
        depth = (depth - depth.mean()) / depth.std()
        assert np.corrcoef(picture.ravel(), depth.ravel())[0, 1] > 0.999
        np.testing.assert_allclose(picture, depth, atol=0.06)
        seen_in.append(model_input("depth", grey[None, ..., None], crop)[0])
    for one in range(len(CROPS)):
        for other in range(one):
            assert np.abs(seen_in[one] - seen_in[other]).max() > 0.03, (one, other)


def test_a_crop_is_a_share_of_the_centre_square() -> None:
    frames = np.arange(8 * 12).reshape(1, 8, 12, 1)
    assert WHOLE.of(frames).shape == (1, 8, 8, 1)
    assert WHOLE.of(frames)[0, 0, 0, 0] == 2
    assert Crop(0.5, 0.5, 0.5).of(frames)[0, :, :, 0].tolist() == frames[0, 4:, 6:10, 0].tolist()
    mirrored = Crop(0.0, 0.0, 1.0, mirrored=True).of(frames)
    assert mirrored[0, :, :, 0].tolist() == frames[0, :, 2:10, 0][:, ::-1].tolist()
