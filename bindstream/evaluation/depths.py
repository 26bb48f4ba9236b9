"""Readers of datasets of depth: NYU Depth v2 and SUN RGB-D."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError, MissingPackageError
from bindstream.evaluation.files import find, read_lines, spoken, subfolder
from bindstream.evaluation.records import Asked, Dataset, Item, LayoutError
from bindstream.features.depth import DepthGeometry, depth_image
from bindstream.file_inputs import Inputs
from bindstream.records import ModalityName
from bindstream.sources.pictures import decode_as_is

# The scene categories with most pictures, as since S. Gupta et al., "Indoor scene understanding
# with RGB-D images" (IJCV 2015); all others count as one class.
NYU_SCENES = (
    "bathroom",
    "bedroom",
    "bookstore",
    "classroom",
    "dining_room",
    "home_office",
    "kitchen",
    "living_room",
    "office",
)
OTHER = "other"
# Scenes of the benchmark of S. Song et al., "SUN RGB-D" (CVPR 2015), section 5.1.
SUN_SCENES = (
    "bathroom",
    "bedroom",
    "classroom",
    "computer_room",
    "conference_room",
    "corridor",
    "dining_area",
    "dining_room",
    "discussion_area",
    "furniture_store",
    "home_office",
    "kitchen",
    "lab",
    "lecture_theatre",
    "library",
    "living_room",
    "office",
    "rest_space",
    "study_space",
)
# Metres between a sensor's eyes (ImageBind's authors, facebookresearch/omnivore issue 12).
BASELINE_M = {"kv1": 0.075, "kv2": 0.075, "realsense": 0.095, "xtion": 0.095}


def read_nyud(asked: Asked) -> Dataset:
    """nyu_depth_v2_labeled.mat with splits.mat, or its official_splits/test as PNG files."""
    geometry = DepthGeometry(scale=asked.disparity_scale)
    labelled = asked.path / "nyu_depth_v2_labeled.mat"
    if labelled.is_file():
        scenes, items = _nyu_mat(labelled, asked.path)
        views = partial(_mat_views, geometry)
    else:
        scenes, items = _nyu_folders(asked.path)
        views = partial(_png_views, geometry)
    others = tuple(spoken(scene) for scene in sorted(scenes - set(NYU_SCENES)))
    notes = []
    if len(others) != 18:
        notes.append(f"the class of other scenes has {len(others)} names here, published with 18")
    classes: dict[str, tuple[str, ...]] = {scene: (spoken(scene),) for scene in NYU_SCENES}
    if others:
        classes[OTHER] = others
    return Dataset(items, "classes", ("depth",), classes, views=views, notes=tuple(notes))


def read_sund(asked: Asked) -> Dataset:
    """SUNRGBD/ and SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat: the test split's 19 scenes."""
    split = _mat(find(asked.path, "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"))
    paths = [str(np.ravel(cell)[0]) for cell in np.ravel(split["alltest"])]
    items = []
    for path in paths:
        # Paths are those of the authors' machine, and end with SUNRGBD/sensor/...
        folder = asked.path / "SUNRGBD" / path.partition("SUNRGBD/")[2]
        if not (folder / "scene.txt").is_file():
            raise LayoutError("there is no scene.txt.", where=str(folder))
        scene = read_lines(folder / "scene.txt")[0].strip()
        if scene in SUN_SCENES:
            items.append(Item(folder, (scene,)))
    if not items:
        raise LayoutError("there is no scene of the test split.", where=str(asked.path))
    return Dataset(
        items,
        "classes",
        ("depth",),
        {scene: (spoken(scene),) for scene in SUN_SCENES},
        views=partial(_sun_views, asked.disparity_scale),
    )


def sun_metres(raw: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Metres of SUN RGB-D's pictures: millimetres, their bits turned by three places."""
    return _metres((raw >> 3) | (raw << 13))


def _nyu_folders(folder: Path) -> tuple[set[str], list[Item]]:
    """Scene folders of sync_depth_NNNNN.png, 16-bit millimetres."""
    top = subfolder(folder, "official_splits", "nyu_depth_v2/official_splits")
    tests = subfolder(top, "test")
    items = [
        Item(file, (_nyu_class(file.parent.name),))
        for file in sorted(tests.glob("*/*depth*.png"))
        if not file.name.startswith("rgb")
    ]
    if not items:
        raise LayoutError(
            "there is neither nyu_depth_v2_labeled.mat nor test/SCENE/sync_depth_NNNNN.png.",
            where=str(folder),
        )
    scenes = {path.name for path in (*tests.glob("*/"), *top.glob("train/*/")) if path.is_dir()}
    return scenes, items


def _nyu_mat(file: Path, folder: Path) -> tuple[set[str], list[Item]]:
    numbers = np.ravel(_mat(find(folder, "splits.mat"))["testNdxs"]).astype(int)
    with _h5(file) as data:
        scenes = _strings(data, "sceneTypes")
        rooms = _strings(data, "scenes")
    items = [
        Item(file, (_nyu_class(scenes[n - 1]),), source=rooms[n - 1], frame=n - 1) for n in numbers
    ]
    return set(scenes), items


def _nyu_class(scene: str) -> str:
    return scene if scene in NYU_SCENES else OTHER


def _strings(data: Any, name: str) -> list[str]:
    """A cell array of strings in an HDF5 file: references to arrays of character codes."""
    return ["".join(map(chr, np.ravel(data[place]))) for place in np.ravel(data[name])]


def _mat_views(geometry: DepthGeometry, modality: ModalityName, item: Item) -> Iterator[Inputs]:
    with _h5(item.file) as data:
        metres = np.asarray(data["depths"][item.frame], np.float32).T  # MATLAB's columns first
    yield depth_image(metres, geometry)


def _png_views(geometry: DepthGeometry, modality: ModalityName, item: Item) -> Iterator[Inputs]:
    yield depth_image(_metres(_counts(item.file)), geometry)


def _sun_views(scale: float, modality: ModalityName, item: Item) -> Iterator[Inputs]:
    sensor = next((part for part in item.file.parts if part in BASELINE_M), "kv1")
    focal_px = float(read_lines(item.file / "intrinsics.txt")[0].split()[0])
    pictures = sorted((item.file / "depth").glob("*.png"))
    if not pictures:
        raise DataError("there is no depth/*.png.", where=str(item.file))
    geometry = DepthGeometry(BASELINE_M[sensor], focal_px, scale)
    yield depth_image(sun_metres(_counts(pictures[0])), geometry)


def _metres(millimetres: NDArray[np.integer]) -> NDArray[np.float32]:
    return (millimetres / 1000).astype(np.float32)


def _counts(file: Path) -> NDArray[np.uint16]:
    raw = decode_as_is(np.fromfile(file, np.uint8))
    if raw is None or raw.ndim != 2 or raw.dtype != np.uint16:
        raise DataError("it is no 16-bit grey picture.", where=str(file))
    return raw


def _mat(file: Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise _missing(error) from None
    try:
        found: dict[str, Any] = loadmat(str(file))
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"it cannot be read ({error}).", where=str(file)) from error
    return found


def _h5(file: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise _missing(error) from None
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise DataError(f"it cannot be read ({error}).", where=str(file)) from error


def _missing(error: ImportError) -> MissingPackageError:
    return MissingPackageError(
        f"MATLAB files need {error.name}, which is not installed.",
        fix="Run: pip install 'bindstream[eval]'.",
    )
