"""Plain pictures with Pillow alone: curves with levels, and numbers in false colours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
INK: Colour = (40, 40, 40)
FAINT: Colour = (160, 160, 160)
RED: Colour = (200, 40, 40)
COLOURS: tuple[Colour, ...] = ((31, 94, 168), (214, 120, 20), (36, 138, 70))
NOTHING: Colour = (60, 60, 60)
"""Where there is no reading."""
_STOPS = ((0, 0, 0), (60, 10, 110), (165, 30, 100), (230, 90, 30), (250, 190, 40), (255, 255, 225))
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 22, 34


@dataclass(frozen=True)
class Curve:
    """Numbers over seconds, both (n,)."""

    name: str
    seconds: NDArray[np.floating]
    values: NDArray[np.floating]
    colour: Colour


@dataclass(frozen=True)
class Panel:
    """Curves over one scale, with levels drawn across and named."""

    title: str
    curves: Sequence[Curve]
    levels: Sequence[tuple[str, float, Colour]] = ()


def charts(panels: Sequence[Panel], axis: str, size: tuple[int, int] = (720, 240)) -> Image.Image:
    """Panels one below the other, each of `size` pixels, over the same seconds."""
    width, height = size
    image = Image.new("RGB", (width, height * len(panels)), "white")
    draw = ImageDraw.Draw(image)
    times = [c.seconds for p in panels for c in p.curves if len(c.seconds)]
    low = min((float(t.min()) for t in times), default=0.0)
    high = max((float(t.max()) for t in times), default=1.0)
    for row, panel in enumerate(panels):
        _panel(draw, panel, (low, max(high, low + 0.1)), (width, height), row * height, axis)
    return image


def _panel(
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    span_s: tuple[float, float],
    size: tuple[int, int],
    top: int,
    axis: str,
) -> None:
    values = [c.values[np.isfinite(c.values)] for c in panel.curves]
    numbers = np.concatenate([*values, [level for _, level, _ in panel.levels], [0.0]])
    low, high = float(numbers.min()), float(numbers.max())
    high = max(high, low + 1e-6)
    right, bottom = size[0] - _RIGHT, top + size[1] - _BOTTOM
    font = ImageFont.load_default()

    def x(seconds: float) -> float:
        return _LEFT + (seconds - span_s[0]) / (span_s[1] - span_s[0]) * (right - _LEFT)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top - _TOP)

    draw.rectangle((_LEFT, top + _TOP, right, bottom), outline=FAINT)
    draw.text((_LEFT, top + 5), panel.title, fill=INK, font=font)
    for tick in ticks(low, high):
        draw.line((_LEFT - 4, y(tick), _LEFT, y(tick)), fill=INK)
        draw.text((4, y(tick) - 6), f"{tick:g}", fill=INK, font=font)
    for tick in ticks(*span_s, most=9):
        draw.line((x(tick), bottom, x(tick), bottom + 4), fill=INK)
        draw.text((x(tick) - 8, bottom + 6), f"{tick:g}", fill=INK, font=font)
    draw.text((right - 6 * len(axis), bottom + 19), axis, fill=INK, font=font)
    for name, level, colour in panel.levels:
        draw.line((_LEFT, y(level), right, y(level)), fill=colour)
        above = level == max(one for _, one, _ in panel.levels)
        beside = y(level) - 13 if above else y(level) + 1
        draw.text((right - 6 * len(name) - 4, beside), name, fill=colour, font=font)
    for place, curve in enumerate(panel.curves):
        _curve(draw, [(x(s), y(v)) for s, v in _points(curve)], curve.colour)
        if len(panel.curves) > 1:
            at = (_LEFT + 8 + 60 * place, top + _TOP + 2)
            draw.text(at, curve.name, fill=curve.colour, font=font)


def _points(curve: Curve) -> list[tuple[float, float]]:
    known = np.isfinite(curve.values)
    seconds, values = curve.seconds[known].tolist(), curve.values[known].tolist()
    return list(zip(seconds, values, strict=True))


def _curve(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], colour: Colour) -> None:
    if len(points) > 1:
        draw.line(points, fill=colour, width=2)
    if len(points) <= 60:
        for x, y in points:
            draw.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=colour)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` steps apart."""
    rough = max(high - low, 1e-9) / most
    unit = 10.0 ** np.floor(np.log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough * 0.999)
    first = int(np.ceil(low / step - 1e-9))
    return [round(i * step, 10) for i in range(first, int(np.floor(high / step + 1e-9)) + 1)]


def false_colours(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """(H, W) numbers as (H, W, 3) RGB from dark to bright; what is not finite is grey."""
    values = np.asarray(values, np.float32)
    known = np.isfinite(values)
    place = np.clip((np.where(known, values, low) - low) / max(high - low, 1e-9), 0, 1)
    at = place * (len(_STOPS) - 1)
    stops = np.arange(len(_STOPS))
    channels = [np.interp(at, stops, [stop[c] for stop in _STOPS]) for c in range(3)]
    colours = np.stack(channels, axis=-1).round().astype(np.uint8)
    colours[~known] = NOTHING
    return colours


def with_scale(values: NDArray[np.floating], low: float, high: float, unit: str) -> Image.Image:
    """(H, W) numbers in false colours, 480 pixels high or more, beside a scale in their unit."""
    shown = Image.fromarray(false_colours(values, low, high))
    factor = max(1, -(-480 // shown.height))
    shown = shown.resize((shown.width * factor, shown.height * factor), Image.Resampling.NEAREST)
    image = Image.new("RGB", (shown.width + 96, shown.height), "white")
    image.paste(shown, (0, 0))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    left, top, bottom = shown.width + 10, 12, shown.height - 12
    column = np.linspace(high, low, bottom - top)[:, None].repeat(16, axis=1)
    image.paste(Image.fromarray(false_colours(column, low, high)), (left, top))
    for tick in ticks(low, high):
        y = bottom - (tick - low) / max(high - low, 1e-9) * (bottom - top)
        draw.line((left + 16, y, left + 20, y), fill=INK)
        draw.text((left + 23, y - 6), f"{tick:g} {unit}", fill=INK, font=font)
    return image


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
