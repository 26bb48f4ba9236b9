"""The table of modalities: windows, shapes, units, ranges and model inputs, in one place.

Queues, liveness, loops and tests read this table; nothing else states these figures. Windows and
model inputs are those of ImageBind (arXiv 2305.05665, appendix B), so that a user's checkpoint
fits; hops are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bindstream.records import ModalityName

Layout = Literal["signal", "readings", "frames", "text"]


@dataclass(frozen=True)
class Modality:
    """What every stage has to know of one modality.

    `layout` says how windows are cut: "signal" (evenly sampled at `rate_hz`), "readings" (rows with
    times of their own) or "frames" (`frames` pictures picked per window). `max_gap_s` is the
    longest silence between readings that still counts as observed; a window is void below
    `min_coverage`. `lateness_s` is how long a window waits for late readings (a source may override
    it); `stale_s` is how long a live stream may say nothing before it counts as stalled.
    `readings` names the physical readings that its windows carry beside their vectors.
    """

    name: ModalityName
    layout: Layout
    window_s: float
    hop_s: float
    raw: str
    unit: str
    low: float
    high: float
    model_input: tuple[int, ...]
    rate_hz: float = 0.0
    frames: int = 0
    max_gap_s: float = 0.0
    min_coverage: float = 0.0
    lateness_s: float = 0.1
    stale_s: float = 2.0
    readings: tuple[str, ...] = ()


MODALITIES: dict[ModalityName, Modality] = {
    m.name: m
    for m in (
        Modality(
            name="vision",
            layout="frames",
            window_s=2.0,
            hop_s=1.0,
            raw="(H, W, 3) uint8 RGB",
            unit="grey level",
            low=0,
            high=255,
            model_input=(3, 2, 224, 224),
            frames=2,
            max_gap_s=1.0,
            min_coverage=0.5,
        ),
        Modality(
            name="audio",
            layout="signal",
            window_s=2.0,
            hop_s=1.0,
            raw="(n,) float32",
            unit="full scale",
            low=-1,
            high=1,
            model_input=(1, 128, 204),
            rate_hz=16000,
            max_gap_s=0.02,
            min_coverage=0.95,
        ),
        Modality(
            name="thermal",
            layout="frames",
            window_s=2.0,
            hop_s=1.0,
            raw="(H, W) float32",
            unit="°C",
            low=-60,
            high=1500,
            model_input=(1, 224, 224),
            frames=1,
            max_gap_s=1.0,
            min_coverage=0.5,
            readings=("min_c", "mean_c", "max_c"),
        ),
        Modality(
            name="depth",
            layout="frames",
            window_s=2.0,
            hop_s=1.0,
            raw="(H, W) float32",
            unit="m",
            low=0,
            high=200,
            model_input=(1, 224, 224),
            frames=1,
            max_gap_s=1.0,
            min_coverage=0.5,
        ),
        Modality(
            name="imu",
            layout="readings",
            window_s=5.0,
            hop_s=1.0,
            raw="(n, 6) float32",
            unit="m/s² (with gravity) and rad/s",
            low=-350,
            high=350,
            model_input=(6, 2000),
            rate_hz=50,  # the least that is accepted
            max_gap_s=0.25,
            min_coverage=0.8,
        ),
        Modality(
            name="text",
            layout="text",
            window_s=0,
            hop_s=0,
            raw="str",
            unit="words",
            low=0,
            high=0,
            model_input=(77,),
        ),
    )
}
SENSORS: tuple[ModalityName, ...] = ("vision", "audio", "thermal", "depth", "imu")
