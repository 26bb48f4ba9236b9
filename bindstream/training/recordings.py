"""Recordings cut into windows at given times, as the product cuts and prepares live ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bindstream.clocks.host import Clock
from bindstream.errors import BindstreamError, DataError, MissingPackageError
from bindstream.features.audio import LEAST_SAMPLES, RATE_HZ, filterbank
from bindstream.features.depth import disparity
from bindstream.features.grey import grey_image
from bindstream.features.imu import resample
from bindstream.features.sound_track import CONTAINERS
from bindstream.features.thermal import GainControl
from bindstream.features.vision import clip, still_clip
from bindstream.features.whole import read_channels, read_picture, read_sound
from bindstream.file_inputs import START_NS, first_frame, open_recording
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName, Sample, Window
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.camera import PICTURES
from bindstream.sources.raw16 import PICTURES_16
from bindstream.sources.video import open_container, packets
from bindstream.training.crops import WHOLE, Crop
from bindstream.windows import Windower

STILL_S = float("inf")  # a picture is of any time
EDGE_NS = 10**9  # of readings around the windows, for values at their edges


@dataclass(frozen=True)
class Grid:
    """Windows of a recording: window k of `count` begins at start_s + k * hop_s."""

    start_s: float
    hop_s: float
    count: int


@dataclass(frozen=True)
class Seen:
    """What a window shows, before it is cropped to a model input; or `void`, why it cannot be used.

    `data`: audio (n,) float32 at 16 kHz; vision (2, H, W, 3) uint8, or (1, H, W, 3) of a still;
    thermal and depth (1, H, W, 1) float32, grey in [0, 1]; imu (6, 2000) float32.
    """

    data: NDArray[Any]
    void: str = ""


def is_still(modality: ModalityName, file: Path) -> bool:
    """Whether the file is a single picture."""
    suffix = file.suffix.lower()
    if modality == "vision":
        return suffix in PICTURES
    return modality in ("thermal", "depth") and suffix in PICTURES_16


def length_s(modality: ModalityName, file: Path) -> float:
    """How long a recording is, seconds; `STILL_S` for a picture. Reads no more than that takes.

    Raises:
        BindstreamError: it cannot be read.
    """
    if is_still(modality, file):
        try:
            with Image.open(file) as image:
                image.verify()
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise DataError(f"it is no picture that can be read ({error}).") from error
        return STILL_S
    if modality == "audio":
        return _sound_s(file)
    if modality == "imu":
        last_ns = START_NS
        for sample in _samples(modality, file):
            last_ns = max(last_ns, sample.end_ns)
        return (last_ns - START_NS) / 1e9
    return _video_s(modality, file)


def seen(
    modality: ModalityName, file: Path, grids: Sequence[Grid]
) -> Iterator[tuple[int, int, Seen]]:
    """What each window shows, with the places of its grid and of it there. Blocks; reads once.

    Windows past the recording's end do not come at all.

    Raises:
        BindstreamError: the file cannot be read.
    """
    if is_still(modality, file):
        shown = _still(modality, file)
        yield from (
            (place, k, shown) for place, grid in enumerate(grids) for k in range(grid.count)
        )
    elif modality == "audio":
        yield from _sounds(file, grids)
    else:
        yield from _played(modality, file, grids)


def model_input(modality: ModalityName, shown: NDArray[Any], crop: Crop = WHOLE) -> NDArray[Any]:
    """What the tower takes, (*model_input) float32, of what a window shows, cut to a crop of it.

    Raises:
        DataError: the crop is too small.
    """
    if modality == "audio":
        return filterbank(shown)
    if modality == "imu":
        return shown
    frames = shown if crop == WHOLE else np.ascontiguousarray(crop.of(shown))
    if modality == "vision":
        return still_clip(frames[0]) if len(frames) == 1 else clip(frames)
    return grey_image(frames[0, ..., 0], f"{modality.capitalize()} picture")


def _sound_s(file: Path) -> float:
    if file.suffix.lower() in CONTAINERS:
        wave, rate_hz = read_channels(file)
        return len(wave) / rate_hz
    try:
        import soundfile
    except ImportError as error:
        raise MissingPackageError(
            "Sound files need soundfile, which is not installed.",
            fix="Run: pip install 'bindstream[train]'.",
        ) from error
    try:
        found = soundfile.info(str(file))
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"the sound file cannot be read ({error}).") from error
    return float(found.frames / found.samplerate)


def _video_s(modality: ModalityName, file: Path) -> float:
    context = SourceContext(file.name, modality, Clock.read(), START_NS)
    with open_container(context, str(file), str(file)) as container:
        stream = container.streams.video[0]
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None:
            return float(container.duration / 1e6)
        every = packets(context, container, stream, str(file))
        times = [packet.pts for packet in every if packet.pts is not None]
        period_s = 1 / float(stream.average_rate or stream.guessed_rate or 25)
        return float((max(times) - min(times)) * stream.time_base) + period_s if times else 0.0


def _still(modality: ModalityName, file: Path) -> Seen:
    if modality == "vision":
        return Seen(read_picture(file)[None])
    return _frame_seen(modality, first_frame(modality, file), GainControl(), 0)


def _sounds(file: Path, grids: Sequence[Grid]) -> Iterator[tuple[int, int, Seen]]:
    wave = read_sound(file)
    size = round(MODALITIES["audio"].window_s * RATE_HZ)
    for place, grid in enumerate(grids):
        for k in range(grid.count):
            first = round((grid.start_s + k * grid.hop_s) * RATE_HZ)
            part = wave[first : first + size]
            if len(part) >= LEAST_SAMPLES:
                yield place, k, Seen(part)


def _played(
    modality: ModalityName, file: Path, grids: Sequence[Grid]
) -> Iterator[tuple[int, int, Seen]]:
    cutters = [_Cutter(modality, grid) for grid in grids]
    for sample in _samples(modality, file):
        if all(cutter.is_over(sample) for cutter in cutters):
            break
        for place, cutter in enumerate(cutters):
            yield from ((place, k, shown) for k, shown in cutter.push(sample))
    for place, cutter in enumerate(cutters):
        yield from ((place, k, shown) for k, shown in cutter.flush())


class _Cutter:
    """Cuts the windows of one grid out of samples: the product's windower on a shifted clock."""

    def __init__(self, modality: ModalityName, grid: Grid) -> None:
        table = MODALITIES[modality]
        self._modality, self._grid = modality, grid
        self._hop_ns = round(grid.hop_s * 1e9)
        # Windows lie on whole multiples of the hop: the grid's first is moved onto one.
        self._first_ns = -(-START_NS // self._hop_ns) * self._hop_ns
        self._shift_ns = self._first_ns - START_NS - round(grid.start_s * 1e9)
        self._end_ns = (
            self._first_ns + (grid.count - 1) * self._hop_ns + round(table.window_s * 1e9)
        )
        self._newest_ns = 0
        self._slack_ns = round(table.max_gap_s / 2 * 1e9)  # an edge that counts as observed
        self._windower = Windower(modality, modality, hop_s=grid.hop_s, lateness_s=0)
        self._gain = GainControl()

    def is_over(self, sample: Sample) -> bool:
        return sample.start_ns + self._shift_ns > self._end_ns + EDGE_NS

    def push(self, sample: Sample) -> Iterator[tuple[int, Seen]]:
        start_ns = sample.start_ns + self._shift_ns
        if self.is_over(sample) or sample.end_ns + self._shift_ns < self._first_ns - EDGE_NS:
            return
        times_ns = None if sample.times_ns is None else sample.times_ns + self._shift_ns
        end_ns = sample.end_ns + self._shift_ns
        self._newest_ns = max(self._newest_ns, end_ns)
        moved = replace(sample, start_ns=start_ns, end_ns=end_ns, times_ns=times_ns)
        yield from self._seen(self._windower.push(moved))

    def flush(self) -> Iterator[tuple[int, Seen]]:
        yield from self._seen(self._windower.due(self._newest_ns + self._slack_ns))

    def _seen(self, windows: Sequence[Window]) -> Iterator[tuple[int, Seen]]:
        for window in windows:
            k = (window.start_ns - self._first_ns) // self._hop_ns
            if not 0 <= k < self._grid.count:
                continue
            if window.void:
                yield k, Seen(window.data, window.void)
            elif self._modality == "vision":
                yield k, Seen(window.data)
            elif self._modality == "imu":
                yield k, _readings_seen(window)
            else:
                yield k, _frame_seen(self._modality, window.data[0], self._gain, window.end_ns)


def _readings_seen(window: Window) -> Seen:
    assert window.times_ns is not None
    try:
        return Seen(resample(window.times_ns, window.data, window.start_ns, window.end_ns))
    except DataError as error:
        return Seen(window.data, str(error))


def _frame_seen(
    modality: ModalityName, frame: NDArray[Any], gain: GainControl, time_ns: int
) -> Seen:
    try:
        grey = gain.push(frame, time_ns) if modality == "thermal" else disparity(frame)
    except DataError as error:
        return Seen(frame, str(error))
    return Seen(grey[None, ..., None])


def _samples(modality: ModalityName, file: Path) -> Iterator[Sample]:
    source = open_recording(modality, file)
    try:
        while True:
            yield from source.read()
    except EndOfStream:
        return
    finally:
        source.close()


def fault(file: Path, error: Exception) -> str:
    """What an error says of a file, which it may or may not name; without its full stop."""
    said = error.said_of(file) if isinstance(error, BindstreamError) else str(error)
    return f"{file} cannot be used: {said.strip().removesuffix('.')}"
