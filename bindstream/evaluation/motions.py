"""Reader of a dataset of motion: Ego4D's head-mounted inertial sensors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.evaluation.files import find, subfolder
from bindstream.evaluation.records import Asked, Dataset, Item, LayoutError
from bindstream.features.imu import resample
from bindstream.file_inputs import Inputs
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName

WINDOW_S = MODALITIES["imu"].window_s
SPLITS = ("split_em", "split_fho", "split_av")
HELD_OUT = {"val", "test"}
_TIME = "canonical_timestamp_ms"
_MISSING = re.compile(r",\s*(,|$)|NULL")  # a value that is not there
_CHANNELS = ("accl_x", "accl_y", "accl_z", "gyro_x", "gyro_y", "gyro_z")


def read_ego4d(asked: Asked) -> Dataset:
    """ego4d.json (video_uid, scenarios, splits) and imu/VIDEO.csv: 5 s windows side by side.

    Of videos that a benchmark holds out for validation or test. A window is of all scenarios of
    its video.
    """
    table = find(asked.path, "ego4d.json")
    folder = subfolder(asked.path, "imu", "v2/imu", "v1/imu")
    videos = [video for video in _videos(table) if video.get("has_imu", True)]
    items: list[Item] = []
    absent = 0
    for video in videos:
        if not video["scenarios"] or not HELD_OUT & {video.get(split) for split in SPLITS}:
            continue
        file = folder / f"{video['video_uid']}.csv"
        if not file.is_file():
            absent += 1
            continue
        windows = int(float(video["duration_sec"]) / WINDOW_S)
        items += [
            Item(
                file,
                tuple(video["scenarios"]),
                source=video["video_uid"],
                span_s=(index * WINDOW_S, (index + 1) * WINDOW_S),
            )
            for index in range(windows)
        ]
    if not items:
        raise LayoutError("no held-out video has its readings in imu/.", where=str(asked.path))
    names = sorted({scenario for video in videos for scenario in video["scenarios"]})
    return Dataset(
        items,
        "classes",
        ("imu",),
        {name: (name,) for name in names},
        views=_window_views,
        notes=(f"{absent} held-out videos have no readings here",) if absent else (),
    )


def _videos(table: Path) -> list[dict[str, Any]]:
    try:
        videos: list[dict[str, Any]] = json.loads(table.read_text(encoding="utf-8"))["videos"]
        needed = [(v["video_uid"], v["duration_sec"], v["scenarios"]) for v in videos]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"it is not Ego4D's list of videos ({error!r}).", where=str(table)
        ) from error
    if not needed:
        raise DataError("it lists no video.", where=str(table))
    return videos


def _window_views(modality: ModalityName, item: Item) -> Iterator[Inputs]:
    assert item.span_s is not None
    times_ns, rows = _readings(item.file)
    start_ns, end_ns = (round(at_s * 1e9) for at_s in item.span_s)
    around_ns = round(MODALITIES["imu"].max_gap_s * 1e9)  # neighbours to interpolate the edges with
    first, last = np.searchsorted(times_ns, (start_ns - around_ns, end_ns + around_ns))
    if last - first < 2:
        raise DataError(f"it has no readings from {item.span_s[0]:g} to {item.span_s[1]:g} s.")
    yield resample(times_ns[first:last], rows[first:last], start_ns, end_ns)


@lru_cache(maxsize=1)  # windows of a video follow one another
def _readings(file: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Times (n,) int64 ns into the video and readings (n, 6) float32, in m/s² and rad/s.

    Readings outside of the video, which have no time in it, are left out.
    """
    try:
        with open(file, encoding="utf-8") as lines:
            header = lines.readline().strip().split(",")
            columns = [header.index(name) for name in (_TIME, *_CHANNELS)]
            whole = (line for line in lines if not _MISSING.search(line))
            values = np.loadtxt(whole, delimiter=",", usecols=columns, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"its readings cannot be read ({error}).", where=str(file)) from error
    values = values[np.isfinite(values).all(axis=1)]
    values = values[np.argsort(values[:, 0], kind="stable")]
    return np.round(values[:, 0] * 1e6).astype(np.int64), values[:, 1:].astype(np.float32)
