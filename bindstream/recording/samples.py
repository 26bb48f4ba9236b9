"""A Sample as messages and back: what others can show in their schemas, the rest in ours.

What the standard schema of a modality cannot say without loss, such as sound that is no number, is
kept byte for byte in our own message ("raw"), so that every Sample comes back.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.modalities import MODALITIES
from bindstream.recording.png import encode_png
from bindstream.recording.readings import decode_imu, encode_imu, fits_imu
from bindstream.recording.schemas import message_class
from bindstream.records import Alert, Embedding, ModalityName, Sample

SCHEMAS: dict[ModalityName, str] = {
    "vision": "foxglove.CompressedImage",
    "audio": "foxglove.RawAudio",
    "thermal": "foxglove.RawImage",
    "depth": "foxglove.RawImage",
    "imu": "sensor_msgs/msg/Imu",
}
JPEG_MOST = 65500
"""Pixels a side that a JPEG may have (libjpeg's bound)."""
VALUES_MOST = 1 << 27
"""Values one Sample may have; a forged shape allocates no more."""
_PCM = 32768.0
"""Full scale of 16 bit: what sound files and cards divide by; their own values stay exact."""
_MILLIMETRES_M = 0.001
ELSEWHERE = ("stream", "modality", "data", "times_ns")
"""Fields of a Sample that the channel or the data message says."""
_DTYPES = {"vision": "uint8"}
_HINTS = {kind: get_type_hints(kind) for kind in (Sample, Embedding, Alert)}


class Encoded(NamedTuple):
    """A Sample's data messages, each with its log time (UTC ns on the run's clock), and the
    message that says the rest of it."""

    data: list[tuple[int, bytes]]
    about: bytes
    log_ns: int


def encode_sample(
    sample: Sample, *, lossless: bool = False, quality: int = 90, lost: int = 0
) -> Encoded:
    """The messages of a Sample. Pictures take 2 to 10 ms of one core a megapixel.

    Args:
        lossless: pictures as PNG, else as JPEG of this `quality` (1 to 95).
        lost: how many Samples of the stream before this one were not recorded.
    """
    log_ns = max(sample.start_ns + sample.offset_ns, 0)
    codec, data, more = _encoded(sample, log_ns, lossless, quality)
    about = {
        **_own_fields(sample, ELSEWHERE),
        "codec": codec,
        "shape": sample.data.shape,
        "messages": len(data),
        **more,
    }
    if lost:
        about["lost"] = lost
    return Encoded(data, msgspec.json.encode(about), log_ns)


def _encoded(
    sample: Sample, log_ns: int, lossless: bool, quality: int
) -> tuple[str, list[tuple[int, bytes]], dict[str, Any]]:
    """The codec, the data messages, and what else is to be said of them."""
    data, modality = sample.data, sample.modality
    if _standard(sample):
        if modality == "vision":
            codec, picture = _picture(data, lossless, quality)
            return codec, [(log_ns, _image(log_ns, sample.stream, codec, picture))], {}
        if modality == "audio":
            return "pcm-s16", [(log_ns, _sound(log_ns, data))], {}
        if modality == "imu" and sample.times_ns is not None:
            messages = encode_imu(data, sample.times_ns, sample.offset_ns, sample.stream)
            logs = np.maximum(sample.times_ns + sample.offset_ns, 0).tolist()
            return "imu", list(zip(logs, messages, strict=True)), {}
        encoding, values = _grid(data, modality)
        return encoding, [(log_ns, _raw_image(log_ns, sample.stream, encoding, values))], {}
    more = {"dtype": data.dtype.str, "raw": _base64(data)}
    if sample.times_ns is not None:
        more |= {"times": _base64(sample.times_ns.astype("<i8"))}
    return "raw", [], more


def _standard(sample: Sample) -> bool:
    """Whether the modality's schema can hold the Sample's data without more loss than is meant."""
    data = sample.data
    if data.dtype != np.dtype(_DTYPES.get(sample.modality, "float32")):
        return False
    if sample.modality == "imu":
        return fits_imu(data, sample.times_ns, sample.offset_ns)
    if sample.times_ns is not None:
        return False
    if sample.modality == "audio":
        return data.ndim == 1 and bool(np.isfinite(data).all())
    sides = data.shape[:2]
    return data.shape == (*sides, *((3,) if sample.modality == "vision" else ())) and (
        len(sides) == 2 and min(sides) > 0
    )


def decode_sample(
    stream: str, modality: ModalityName, about: Mapping[str, Any], data: Sequence[bytes]
) -> Sample:
    """The Sample that these messages tell of; its data as they were stored.

    Raises:
        Exception: they are not of a Sample (of whichever kind the decoders give).
    """
    shape = tuple(msgspec.convert(about["shape"], list[int]))
    if min(shape, default=0) < 0 or math.prod(shape) > VALUES_MOST:
        raise ValueError(f"a shape of {shape}")
    if about["messages"] != len(data):
        raise ValueError(f"{len(data)} messages of {about['messages']}")
    values, times_ns = _decoded(modality, about, data, shape)
    if values.shape != shape:
        raise ValueError(f"a shape of {values.shape}, not of {shape}")
    said = stated(Sample, about, ELSEWHERE)
    return Sample(stream=stream, modality=modality, data=values, times_ns=times_ns, **said)


def _decoded(
    modality: ModalityName, about: Mapping[str, Any], data: Sequence[bytes], shape: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    codec = about["codec"]
    if codec == "raw":
        values = np.frombuffer(base64.b64decode(about["raw"]), np.dtype(about["dtype"]))
        times = about.get("times")
        times_ns = None if times is None else np.frombuffer(base64.b64decode(times), "<i8")
        return values.reshape(shape).copy(), None if times_ns is None else times_ns.copy()
    if codec == "imu":
        return decode_imu(data, about.get("offset_ns", 0))
    message = message_class(SCHEMAS[modality])()
    message.ParseFromString(data[0])
    if codec in ("jpeg", "png"):
        with Image.open(io.BytesIO(message.data), formats=[codec.upper()]) as image:
            if (image.height, image.width, 3) != shape or image.mode != "RGB":
                raise ValueError(f"a picture of {image.size} {image.mode}, not of {shape}")
            return np.array(image), None
    if codec == "pcm-s16":
        sound = np.frombuffer(message.data, "<i2").astype(np.float32)
        return sound / np.float32(_PCM), None
    if codec == "16UC1":
        grid = np.frombuffer(message.data, "<u2").reshape(shape)
        return (grid * np.float64(_MILLIMETRES_M)).astype(np.float32), None
    if codec == "32FC1":
        return np.frombuffer(message.data, "<f4").reshape(shape).astype(np.float32), None
    raise ValueError(f"a codec named {codec!r}")


def _picture(data: NDArray[Any], lossless: bool, quality: int) -> tuple[str, bytes]:
    if lossless or max(data.shape) > JPEG_MOST:
        return "png", encode_png(data)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(data)).save(file, "JPEG", quality=quality)
    return "jpeg", file.getvalue()


def _image(log_ns: int, frame: str, codec: str, picture: bytes) -> bytes:
    message = message_class("foxglove.CompressedImage")(frame_id=frame, format=codec, data=picture)
    return _stamped(message, log_ns)


def _sound(log_ns: int, data: NDArray[Any]) -> bytes:
    pcm = np.minimum(np.rint(np.clip(data, -1, 1) * np.float32(_PCM)), _PCM - 1).astype("<i2")
    message = message_class("foxglove.RawAudio")(
        data=pcm.tobytes(),
        format="pcm-s16",
        sample_rate=round(MODALITIES["audio"].rate_hz),
        number_of_channels=1,
    )
    return _stamped(message, log_ns)


def _grid(data: NDArray[Any], modality: ModalityName) -> tuple[str, NDArray[Any]]:
    """Values as a RawImage holds them: depth in whole millimetres where that is exact."""
    if modality == "depth" and float(data.min()) >= 0 and float(data.max()) <= 65.5:  # NaN fails
        counts = np.rint(data.astype(np.float64) / _MILLIMETRES_M).astype("<u2")
        again = (counts * np.float64(_MILLIMETRES_M)).astype(np.float32)
        if np.array_equal(again.view(np.uint32), np.ascontiguousarray(data).view(np.uint32)):
            return "16UC1", counts
    return "32FC1", data.astype("<f4")


def _raw_image(log_ns: int, frame: str, encoding: str, values: NDArray[Any]) -> bytes:
    height, width = values.shape
    message = message_class("foxglove.RawImage")(
        frame_id=frame,
        width=width,
        height=height,
        encoding=encoding,
        step=width * values.itemsize,
        data=values.tobytes(),
    )
    return _stamped(message, log_ns)


def _stamped(message: Any, log_ns: int) -> bytes:
    message.timestamp.FromNanoseconds(log_ns)
    return bytes(message.SerializeToString())


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _own_fields(record: Any, but: Sequence[str]) -> dict[str, Any]:
    """A record's fields as JSON can say them; those of a later version come along by themselves."""
    names = (field.name for field in dataclasses.fields(record) if field.name not in but)
    return {name: plain(getattr(record, name)) for name in names}


def plain(value: Any) -> Any:
    """A field as JSON can say it: numbers that are none are words there, as `stated` reads them."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if dataclasses.is_dataclass(value):
        return _own_fields(value, ())
    return [plain(each) for each in value]


def stated(
    kind: type[Sample | Embedding | Alert], said: Mapping[str, Any], but: Sequence[str] = ()
) -> dict[str, Any]:
    """The fields of a record that a message says; unknown ones are left out.

    Raises:
        msgspec.ValidationError: one is of a wrong type.
    """
    return {
        name: msgspec.convert(said[name], hint, strict=False)
        for name, hint in _HINTS[kind].items()
        if name in said and name not in but
    }
