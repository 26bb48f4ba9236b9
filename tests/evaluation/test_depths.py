from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.evaluation.depths import NYU_SCENES, SUN_SCENES, read_nyud, read_sund, sun_metres
from bindstream.evaluation.records import Asked
from bindstream.features.depth import DepthGeometry, depth_image
from tests.evaluation import layouts

pytest.importorskip("cv2")


def test_other_scenes_are_one_class_of_many_names(tmp_path: Path) -> None:
    found = read_nyud(Asked(layouts.nyud(tmp_path)))
    labels = [item.labels[0] for item in found.items]
    assert labels == ["other", "other", "home_office", "kitchen"]
    assert found.classes["other"] == ("cafe", "foyer", "laundry room")
    assert found.classes["home_office"] == ("home office",)
    assert len(found.classes) == len(NYU_SCENES) + 1
    assert "3 names here, published with 18" in found.notes[0]


def test_nyu_pictures_are_millimetres_and_their_disparity_can_be_scaled(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    layouts.nyud(tmp_path)
    for scale in (1.0, 0.125):
        found = read_nyud(Asked(tmp_path, disparity_scale=scale))
        item = found.items[-1]
        metres = cv2.imread(str(item.file), cv2.IMREAD_UNCHANGED) / np.float32(1000)
        (view,) = found.views("depth", item)
        np.testing.assert_allclose(view, depth_image(metres, DepthGeometry(scale=scale)), atol=1e-6)


def test_a_depth_picture_of_8_bits_is_refused(tmp_path: Path) -> None:
    found = read_nyud(Asked(layouts.nyud(tmp_path)))
    layouts.picture(found.items[0].file)
    with pytest.raises(DataError, match="no 16-bit grey picture"):
        list(found.views("depth", found.items[0]))


def test_nyu_as_matlab_files(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    scipy_io = pytest.importorskip("scipy.io")
    rng = np.random.default_rng(0)
    depths = rng.uniform(1, 4, (3, 32, 24)).astype(np.float32)  # MATLAB's 24 × 32 × 3
    strings = {
        "sceneTypes": ["kitchen", "cafe", "office"],
        "scenes": ["kitchen_0004", "cafe_0001a", "office_0002"],
    }
    with h5py.File(tmp_path / "nyu_depth_v2_labeled.mat", "w") as file:
        file["depths"] = depths
        for name, values in strings.items():
            cells = file.create_dataset(name, (1, 3), h5py.ref_dtype)
            for place, value in enumerate(values):
                codes = np.array([[ord(letter)] for letter in value], np.uint16)
                cells[0, place] = file.create_dataset(f"#refs#/{name}{place}", data=codes).ref
    scipy_io.savemat(tmp_path / "splits.mat", {"testNdxs": np.array([[1], [2]])})
    found = read_nyud(Asked(tmp_path))
    assert [item.labels for item in found.items] == [("kitchen",), ("other",)]
    assert [item.source for item in found.items] == ["kitchen_0004", "cafe_0001a"]
    assert found.classes["other"] == ("cafe",)
    (view,) = found.views("depth", found.items[1])
    np.testing.assert_allclose(view, depth_image(depths[1].T), atol=1e-6)


def test_sun_pictures_are_millimetres_turned_by_three_bits() -> None:
    millimetres = np.array([[0, 1, 1234, 8191]], np.uint16)
    stored = (millimetres << 3) | (millimetres >> 13)
    np.testing.assert_allclose(sun_metres(stored), millimetres / 1000, atol=1e-6)


def test_sun_takes_scenes_of_the_benchmark_and_each_sensors_geometry(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    cv2 = pytest.importorskip("cv2")
    found = read_sund(Asked(layouts.sund(tmp_path)))
    assert [item.labels for item in found.items] == [("bedroom",), ("rest_space",)]
    assert len(found.classes) == len(SUN_SCENES) == 19
    assert found.classes["rest_space"] == ("rest space",)
    for item, baseline_m in zip(found.items, (0.075, 0.095), strict=True):
        raw = cv2.imread(str(item.file / "depth" / "a.png"), cv2.IMREAD_UNCHANGED)
        due = depth_image(sun_metres(raw), DepthGeometry(baseline_m, 518.8))
        (view,) = found.views("depth", item)
        np.testing.assert_allclose(view, due, atol=1e-6)
