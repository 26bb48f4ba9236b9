"""What a ring held, as the files that people open: pictures, films, sounds, tables.

Every function gives files by name, as bytes. Times are UTC ns; `peak_ns` is the middle of the
window that answered most clearly.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.evidence.drawing import (
    COLOURS,
    Curve,
    Panel,
    charts,
    false_colours,
    png,
    with_scale,
)
from bindstream.evidence.ring import Kept
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName

Files = dict[str, bytes]
RATE_HZ = int(MODALITIES["audio"].rate_hz)
_JOINED_NS = 20_000_000  # sounds whose reported times are this far apart are one
_FFT, _STEP = 512, 160  # 32 ms of sound, every 10 ms
_FLOOR_DB = 80.0
_LEAST_SPAN = {"thermal": 2.0, "depth": 0.5}  # a flat scene is not stretched into noise
UNITS = {"thermal": "°C", "depth": "m"}
NUMBERS = {"thermal": "celsius.npy", "depth": "metres.npy"}


def media(modality: ModalityName, kept: Sequence[Kept], peak_ns: int) -> Files:
    """The files of one modality; none of no readings. 0.1 to 1 s of one core."""
    if not kept:
        return {}
    match modality:
        case "vision":
            return {"picture.jpg": nearest(kept, peak_ns).data, **film(kept)}
        case "audio":
            sound = joined(kept)
            picture = io.BytesIO()  # noise is five times as large as PNG
            spectrogram(sound.astype(np.float32) / np.float32(32767)).save(picture, "JPEG")
            return {"sound.wav": wav(sound), "spectrogram.jpg": picture.getvalue()}
        case "imu":
            return motion(kept)
        case _:
            return heat(modality, nearest(kept, peak_ns).data)


def nearest(kept: Sequence[Kept], at_ns: int) -> Kept:
    """The entry whose time is nearest."""
    return min(kept, key=lambda one: abs(one.start_ns - at_ns))


def film(kept: Sequence[Kept]) -> Files:
    """Pictures as `clip.mp4` (H.264), shown as far apart as they were taken; as single files in
    `frames/` where PyAV, or its encoder, is not there."""
    try:
        return {"clip.mp4": mp4([k.data for k in kept], [k.start_ns for k in kept])}
    except (ImportError, ValueError, OSError):  # av's errors are of these kinds
        return {f"frames/{i:03d}.jpg": one.data for i, one in enumerate(kept)}


def mp4(jpegs: Sequence[bytes], times_ns: Sequence[int]) -> bytes:
    """A film of JPEGs, all shown in the first one's size.

    Raises:
        ImportError: PyAV is not installed.
        ValueError, OSError: it cannot encode H.264 here.
    """
    import av

    first = Image.open(io.BytesIO(jpegs[0])).size
    size = (max(first[0] // 2 * 2, 2), max(first[1] // 2 * 2, 2))  # H.264 halves its colours
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=5, options={"preset": "veryfast", "crf": "26"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.thread_count = 1
        last_ms = -1
        for data, at_ns in zip(jpegs, times_ns, strict=True):
            image = Image.open(io.BytesIO(data)).convert("RGB")
            if image.size != size:
                image = image.crop((0, 0, *size)) if image.size == first else image.resize(size)
            frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            last_ms = max((at_ns - times_ns[0]) // 1_000_000, last_ms + 1)
            frame.pts, frame.time_base = last_ms, Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return file.getvalue()


def joined(kept: Sequence[Kept]) -> NDArray[np.int16]:
    """Pieces of sound as one (n,) int16 at 16 kHz; what is missing between them is silence."""
    pieces: list[NDArray[np.int16]] = []
    end_ns = kept[0].start_ns
    for one in kept:
        missing_ns = one.start_ns - end_ns
        if missing_ns < -_JOINED_NS:  # it was there already
            skip = round(-missing_ns * RATE_HZ / 1e9)
            pieces.append(one.data[skip:])
        else:
            if missing_ns > _JOINED_NS:
                pieces.append(np.zeros(round(missing_ns * RATE_HZ / 1e9), np.int16))
            pieces.append(one.data)
        end_ns = max(end_ns, one.end_ns)
    return np.concatenate(pieces)


def wav(sound: NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(sound.astype("<i2").tobytes())
    return file.getvalue()


def spectrogram(sound: NDArray[np.float32]) -> Image.Image:
    """Sound (n,) in [-1, 1] as a picture: seconds from left to right, 0 to 8 kHz from below, the
    loudest bright, 80 dB below it black."""
    sound = np.pad(sound, (0, max(_FFT - len(sound), 0)))
    step = max(_STEP, len(sound) // 1200)  # no wider than a screen
    windows = np.lib.stride_tricks.sliding_window_view(sound, _FFT)[::step]
    power = np.abs(np.fft.rfft(windows * np.hanning(_FFT).astype(np.float32))) ** 2
    level = 10 * np.log10(power.T[::-1] + 1e-12)
    top = float(level.max())
    picture = false_colours(level, top - _FLOOR_DB, top)
    return Image.fromarray(picture).resize((max(picture.shape[1], 480), _FFT))


def heat(modality: ModalityName, frame: NDArray[np.float16]) -> Files:
    """A frame of temperatures or distances: its numbers, and a picture with a scale."""
    numbers = io.BytesIO()
    np.save(numbers, frame, allow_pickle=False)
    values = frame.astype(np.float32)
    if modality == "depth":
        values = np.where(values > 0, values, np.nan)  # 0 is no reading
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (0.5, 99.5)).tolist() if len(known) else (0.0, 1.0)
    wider = max(_LEAST_SPAN[modality] - (high - low), 0) / 2
    picture = with_scale(values, low - wider, high + wider, UNITS[modality])
    return {"picture.png": png(picture), NUMBERS[modality]: numbers.getvalue()}


def motion(kept: Sequence[Kept]) -> Files:
    """Motion readings as a table that `source: {kind: imu, file: ...}` reads, and as curves."""
    assert all(one.times_ns is not None for one in kept)
    every = np.concatenate([one.times_ns for one in kept if one.times_ns is not None])
    times, first = np.unique(every, return_index=True)
    rows = np.concatenate([one.data for one in kept])[first]
    lines = ["time_ns,ax,ay,az,gx,gy,gz"]
    lines += [
        f"{at}," + ",".join(f"{value:.6g}" for value in row)
        for at, row in zip(times.tolist(), rows.tolist(), strict=True)
    ]
    seconds = (times - times[0]) / 1e9
    panels = [
        Panel(title, [Curve(name, seconds, rows[:, first + i], COLOURS[i]) for i, name in axes])
        for title, first, axes in (
            ("acceleration, m/s^2", 0, list(enumerate("xyz"))),
            ("turning, rad/s", 3, list(enumerate("xyz"))),
        )
    ]
    return {"motion.csv": "\n".join([*lines, ""]).encode(), "motion.png": png(charts(panels, "s"))}
