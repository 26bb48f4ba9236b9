"""Features: raw windows to model inputs, without torch, on the machine that has the sensor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.features.audio import filterbank
from bindstream.features.depth import KINECT, DepthGeometry, depth_image
from bindstream.features.imu import resample
from bindstream.features.thermal import GainControl, checked, readings, thermal_image
from bindstream.features.vision import clip
from bindstream.records import ModalityName, Readings, Window

# Part of every model's fingerprint: raise it whenever a model input changes for the same raw data,
# so that vectors made before and after are never compared.
PREPROCESSING = 1

__all__ = ["PREPROCESSING", "Features", "features_for"]


class Features:
    """The features stage of one stream: replaces a window's raw readings by the model input.

    Holds state for thermal alone (the span of the gain control), so windows must come in order.
    """

    def __init__(
        self,
        modality: ModalityName,
        stream: str,
        *,
        span_c: tuple[float, float] | None = None,
        geometry: DepthGeometry = KINECT,
    ) -> None:
        self._modality, self._stream = modality, stream
        self._gain = GainControl(span_c)
        self._geometry = geometry

    def push(self, window: Window) -> Window:
        """The window with `data` as `modalities.py` states for the model, and physical readings.

        A window that was void comes back untouched; one whose data cannot be used comes back void,
        with the reason and its raw data. Never blocks, sets no stage. 2 to 10 ms of one core.

        Raises:
            DataError: the window is of another stream: a wiring fault, not bad data.
            MissingPackageError: a library this modality needs is not installed.
        """
        if (window.stream, window.modality) != (self._stream, self._modality):
            raise DataError(
                f"A window of {window.stream} ({window.modality}) came to the features of "
                f"{self._stream} ({self._modality})."
            )
        if window.void:
            return window
        try:
            data, found = self._model_input(window)
        except DataError as error:
            return replace(window, void=str(error))
        return replace(window, data=data, times_ns=None, readings={**window.readings, **found})

    def glance(self, window: Window) -> tuple[Readings, tuple[float, float] | None]:
        """What a window tells without becoming a model input; `push` may follow.

        Its physical readings, and for thermal the span (low, high) in °C in which it would be
        shown. The gain control follows it: where windows are only glanced at, the next one that
        becomes a model input looks as if all of them had.

        Raises:
            DataError: the window's data cannot be used.
        """
        if self._modality != "thermal":
            return {}, None
        frame_c = checked(_only_frame(window))
        return readings(frame_c), self._gain.follow(frame_c, window.end_ns)

    def _model_input(self, window: Window) -> tuple[NDArray[np.float32], Readings]:
        match self._modality:
            case "audio":
                return filterbank(window.data), {}
            case "vision":
                return clip(window.data), {}
            case "thermal":
                frame_c = checked(_only_frame(window))
                shown = self._gain.push(frame_c, window.end_ns)
                return thermal_image(shown), readings(frame_c)
            case "depth":
                return depth_image(_only_frame(window), self._geometry), {}
            case "imu":
                if window.times_ns is None:
                    raise DataError("IMU readings come without their capture times.")
                return resample(window.times_ns, window.data, window.start_ns, window.end_ns), {}
            case _:
                raise DataError(f"{self._modality} is not a sensor: it has no features.")


def _only_frame(window: Window) -> NDArray[Any]:
    if window.data.ndim != 3 or len(window.data) != 1:
        raise DataError(f"{window.modality} window has shape {window.data.shape}, not (1, H, W).")
    frame: NDArray[Any] = window.data[0]
    return frame


def features_for(
    modality: ModalityName,
    stream: str,
    *,
    span_c: tuple[float, float] | None = None,
    geometry: DepthGeometry = KINECT,
) -> Features:
    """The features stage of a stream.

    Args:
        span_c: thermal only: a fixed span (low, high) in °C instead of gain control.
        geometry: depth only: baseline and focal length of the disparity.
    """
    return Features(modality, stream, span_c=span_c, geometry=geometry)
