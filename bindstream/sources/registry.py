"""Kinds of sources: one line each. A new sensor is its file and its line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bindstream.clocks.host import Clock
from bindstream.errors import ConfigError
from bindstream.records import ModalityName
from bindstream.sources import Source, SourceContext
from bindstream.sources.camera import Camera, CameraOptions
from bindstream.sources.depth import Depth, DepthOptions
from bindstream.sources.imu import ImuOptions, imu_source
from bindstream.sources.microphone import MicrophoneOptions, microphone_source
from bindstream.sources.options import SourceOptions
from bindstream.sources.recording import RecordingOptions, RecordingSource
from bindstream.sources.scene import SceneOptions, SceneSource
from bindstream.sources.thermal import Thermal, ThermalOptions


@dataclass(frozen=True)
class Kind:
    """A kind of source: its options as written in YAML, and the driver they are for."""

    options: type[SourceOptions]
    driver: Callable[[Any, SourceContext], Source]

    @property
    def modality(self) -> ModalityName | None:
        """What every source of this kind yields; None where each configuration has to say."""
        modality: ModalityName | None = getattr(self.options, "modality", None)
        return modality


KINDS: dict[str, Kind] = {
    "camera": Kind(CameraOptions, Camera),
    "thermal": Kind(ThermalOptions, Thermal),
    "depth": Kind(DepthOptions, Depth),
    "microphone": Kind(MicrophoneOptions, microphone_source),
    "imu": Kind(ImuOptions, imu_source),
    "scene": Kind(SceneOptions, SceneSource),
    "recording": Kind(RecordingOptions, RecordingSource),
}


def open_source(options: SourceOptions, context: SourceContext) -> Source:
    """The driver that goes with these options, not opened yet (`Source.open` does that).

    Raises:
        ConfigError: no kind of source is registered for these options.
    """
    for kind in KINDS.values():
        if type(options) is kind.options:
            return kind.driver(options, context)
    raise ConfigError(
        f"no source takes {type(options).__name__}.",
        where=f"stream {context.stream!r}",
        fix="Register its kind in bindstream/sources/registry.py.",
    )


def is_recorded(options: SourceOptions, modality: ModalityName) -> bool:
    """Whether these options play a recording: known before anything is opened."""
    return open_source(options, SourceContext("", modality, Clock.read(), 0)).recorded
