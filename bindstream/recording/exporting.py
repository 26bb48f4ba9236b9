"""A recording as files for other programs: WAV, MP4 or pictures, CSV."""

from __future__ import annotations

import csv
import time
import wave
from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bindstream.errors import MissingPackageError, RecordingError
from bindstream.modalities import MODALITIES
from bindstream.recording.reading import RecordedStream, Recording
from bindstream.recording.samples import SCHEMAS
from bindstream.recording.schemas import message_class
from bindstream.records import Sample

SILENCE_MOST_S = 86400
"""A WAV file is no longer than this, silence included."""
_Told = Callable[[int], None]
_READINGS = ("ax", "ay", "az", "gx", "gy", "gz")


def export(
    recording: Recording,
    folder: Path,
    streams: Collection[str] | None = None,
    *,
    as_films: bool = True,
    told: _Told | None = None,
) -> dict[str, str]:
    """Write files into a folder, made as needed; returns each file's name and what is in it.

    Times in CSV are of capture on the run's clock: `time_ns` in UTC ns, `utc` for people. What is
    of all streams is in files named `all.*`: no stream's name has a dot.

    Args:
        streams: all if None.
        as_films: pictures as MP4; else each as the file that it is stored as.
        told: is given the number of Samples that were written, now and then.

    Raises:
        RecordingError: there is no such stream, or the folder cannot be written.
        MissingPackageError: films need PyAV.
    """
    names = list(recording.streams) if streams is None else list(dict.fromkeys(streams))
    for name in names:
        recording.samples(name)  # which says what streams there are
    told = told or (lambda _: None)
    written: dict[str, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            samples = _counted(recording.samples(name), told)
            if (first := next(samples, None)) is not None:
                stream, whole = recording.streams[name], chain([first], samples)
                written |= _stream(recording, stream, whole, folder, as_films, told)
        written |= _vectors(recording, names, folder)
        written |= _alerts(recording, folder)
    except (OSError, ValueError) as error:  # av's errors are of these kinds
        why = getattr(error, "strerror", None) or str(error)
        fix = "Make room, or where films cannot be encoded take --pictures files."
        raise RecordingError(f"it cannot be written: {why}.", where=str(folder), fix=fix) from None
    return written


def _counted(samples: Iterator[Sample], told: _Told) -> Iterator[Sample]:
    for sample in samples:
        yield sample
        told(1)


def _stream(
    recording: Recording,
    stream: RecordedStream,
    samples: Iterator[Sample],
    folder: Path,
    as_films: bool,
    told: _Told,
) -> dict[str, str]:
    match stream.modality:
        case "audio":
            return _sound(stream, samples, folder)
        case "vision" if as_films:
            return _film(stream, samples, folder)
        case "vision":
            return _pictures(recording, stream, folder, told)
        case "imu":
            return _motion(stream, samples, folder)
        case _:
            return _values(stream, samples, folder)


def _sound(stream: RecordedStream, samples: Iterator[Sample], folder: Path) -> dict[str, str]:
    """A WAV on the line of time: what comes late, or twice, is left out, and said."""
    rate_hz = MODALITIES["audio"].rate_hz
    if stream.end_ns - stream.start_ns > SILENCE_MOST_S * 1e9:
        raise RecordingError(
            f"{stream.name} is longer than a day.", fix="Cut it first: bindstream record cut."
        )
    joined = round(MODALITIES["audio"].max_gap_s * rate_hz)
    begun_ns: int | None = None
    at = silent = left_out = 0
    with (
        wave.open(str(folder / f"{stream.name}.wav"), "wb") as file,
        _Table(folder / f"{stream.name}.csv", "values", "at_value", "silence_before", "gap") as add,
    ):
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(rate_hz))
        for sample in samples:
            start_ns = sample.start_ns + sample.offset_ns
            if not stream.start_ns <= start_ns <= stream.end_ns:
                continue  # forged: no silence is as long as it says
            begun_ns = start_ns if begun_ns is None else begun_ns
            missing = round((start_ns - begun_ns) * rate_hz / 1e9) - at
            pcm = _pcm(sample.data)
            if missing > joined:
                _write_silence(file, missing)
                silent += missing
                at += missing
            elif missing < -joined:
                left_out += min(-missing, len(pcm))
                pcm = pcm[-missing:]
            add(start_ns, len(pcm), at, max(missing, 0) if missing > joined else 0, sample.gap)
            file.writeframesraw(pcm.astype("<i2").tobytes())
            at += len(pcm)
    what = f"{at / rate_hz:.1f} s, {silent / rate_hz:.1f} s of it silence that was not recorded"
    what += f"; {left_out / rate_hz:.1f} s came twice or late" if left_out else ""
    return {f"{stream.name}.wav": what, f"{stream.name}.csv": "the time of each of its pieces"}


def _write_silence(file: wave.Wave_write, values: int) -> None:
    """Zeros, a second's worth at a time."""
    second = round(MODALITIES["audio"].rate_hz)
    for at in range(0, values, second):
        file.writeframesraw(bytes(2 * min(second, values - at)))


def _pcm(data: NDArray[Any]) -> NDArray[np.int16]:
    whole = np.clip(np.rint(np.nan_to_num(data) * 32768), -32768, 32767)
    pcm: NDArray[np.int16] = whole.astype(np.int16)
    return pcm


def _film(stream: RecordedStream, samples: Iterator[Sample], folder: Path) -> dict[str, str]:
    """A film in which each picture stands as long as it did."""
    try:
        import av
    except ImportError:
        raise MissingPackageError(
            "films need PyAV, which is not installed.",
            fix="Run: pip install 'bindstream[camera]', or take --pictures files.",
        ) from None
    name = f"{stream.name}.mp4"
    shown = -1
    with (
        av.open(str(folder / name), "w") as film,
        _Table(folder / f"{stream.name}.csv", "at_ms", "width", "height", "gap") as add,
    ):
        track = film.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "23"})
        track.pix_fmt, track.width = "yuv420p", 0
        track.codec_context.time_base = Fraction(1, 1000)
        for sample in samples:
            start_ns = sample.start_ns + sample.offset_ns
            height, width = sample.data.shape[:2]
            if not track.width:  # of all of them, H.264 halves its colours
                track.width, track.height = max(width // 2 * 2, 2), max(height // 2 * 2, 2)
                begun_ns = start_ns
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(sample.data), format="rgb24")
            shown = max((start_ns - begun_ns) // 10**6, shown + 1)
            frame = frame.reformat(track.width, track.height, "yuv420p")
            frame.pts, frame.time_base = shown, Fraction(1, 1000)
            film.mux(track.encode(frame))
            add(start_ns, shown, width, height, sample.gap)
        film.mux(track.encode(None))
    what = f"{stream.samples:,} pictures, {(shown + 1) / 1000:.1f} s"
    return {name: what, f"{stream.name}.csv": "the time of each picture"}


def _pictures(
    recording: Recording, stream: RecordedStream, folder: Path, told: _Told
) -> dict[str, str]:
    """Each picture as it is stored, named by its number."""
    (folder / stream.name).mkdir(exist_ok=True)
    many = 0
    chunks = recording.chunks
    with _Table(folder / f"{stream.name}.csv", "file", "gap") as add:
        for file, place in chunks.places("sample", stream.name):
            for part in chunks.parts(file, place, stream.name):
                end = {"jpeg": "jpg", "png": "png"}.get(part.about.get("codec", ""))
                stored = part.data[0].data if part.data else b""
                for picture in chunks.read(_stored, stored, stream.name, file, place):
                    if end is None:
                        continue
                    many += 1
                    name = f"{stream.name}/{many:07d}.{end}"
                    (folder / name).write_bytes(picture)
                    add(part.said.log_ns, name, part.about.get("gap", ""))
                    told(1)
    what = f"{many:,} pictures as they are stored"
    return {f"{stream.name}/": what, f"{stream.name}.csv": "the time of each picture"}


def _stored(message: bytes) -> bytes:
    image = message_class(SCHEMAS["vision"])()
    image.ParseFromString(message)
    return bytes(image.data)


def _motion(stream: RecordedStream, samples: Iterator[Sample], folder: Path) -> dict[str, str]:
    name, many = f"{stream.name}.csv", 0
    with _Table(folder / name, *_READINGS, "gap") as add:
        for sample in samples:
            times_ns = sample.times_ns if sample.times_ns is not None else ()
            gap = sample.gap
            for at_ns, row in zip(times_ns, sample.data, strict=False):
                add(int(at_ns) + sample.offset_ns, *(f"{value:.9g}" for value in row), gap)
                many, gap = many + 1, ""
    return {name: f"{many:,} readings, m/s² and rad/s"}


def _values(stream: RecordedStream, samples: Iterator[Sample], folder: Path) -> dict[str, str]:
    """Of each frame of heat or depth the lowest, the mean and the highest value."""
    unit = "c" if stream.modality == "thermal" else "m"
    name = f"{stream.name}.csv"
    with _Table(folder / name, f"min_{unit}", f"mean_{unit}", f"max_{unit}", "gap") as add:
        for sample in samples:
            data = sample.data[np.isfinite(sample.data)]
            if stream.modality == "depth":
                data = data[data > 0]  # 0 is no reading
            found = (data.min(), data.mean(dtype=np.float64), data.max()) if data.size else ()
            said = [f"{float(value):.6g}" for value in found] or ["", "", ""]
            add(sample.start_ns + sample.offset_ns, *said, sample.gap)
    return {name: f"{stream.samples:,} frames, their lowest, mean and highest value"}


def _vectors(recording: Recording, names: Collection[str], folder: Path) -> dict[str, str]:
    many = 0
    found = (each for each in recording.embeddings() if each.stream in names)
    columns = ("end_ns", "stream", "seq", "model", "coverage", "same_as", "readings")
    with _Table(folder / "all.vectors.csv", *columns) as add:
        for each in found:
            many += 1
            readings = msgspec.json.encode(dict(each.readings)).decode()
            start_ns, end_ns = each.start_ns + each.offset_ns, each.end_ns + each.offset_ns
            same_as = "" if each.same_as is None else each.same_as
            said = (each.stream, each.seq, each.model, each.coverage, same_as, readings)
            add(start_ns, end_ns, *said)
    return _unless_empty(folder, "all.vectors.csv", many, "windows that have a vector")


def _alerts(recording: Recording, folder: Path) -> dict[str, str]:
    many = 0
    columns = ("end_ns", "id", "query", "text", "state", "stream", "measure", "peak_z")
    with _Table(folder / "all.alerts.csv", *columns) as add:
        for each in recording.alerts():
            many += 1
            who = (each.id, each.query, each.text, each.state, each.stream)
            add(each.start_ns, each.end_ns, *who, each.measure, f"{each.peak_z:.6g}")
    return _unless_empty(folder, "all.alerts.csv", many, "announcements")


def _unless_empty(folder: Path, name: str, many: int, what: str) -> dict[str, str]:
    if many:
        return {name: f"{many:,} {what}"}
    (folder / name).unlink()
    return {}


class _Table:
    """A CSV with a time in front of each row; gives what adds one."""

    def __init__(self, path: Path, *columns: str) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow(("time_ns", "utc", *columns))

    def __enter__(self) -> Callable[..., None]:
        return self._add

    def _add(self, time_ns: int, *values: object) -> None:
        seconds, part = divmod(max(time_ns, 0), 10**9)
        utc = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        self._rows.writerow((time_ns, f"{utc}.{part // 1000:06d}Z", *values))

    def __exit__(self, *_: object) -> None:
        self._file.close()
