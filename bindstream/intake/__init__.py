"""The sensor side of a stream: `inlet` (its source, read; its `schedule` if it is played) →
`stream` (windows, model inputs, accounts; `frozen` sensors are said) → `health`."""

from __future__ import annotations

from bindstream.intake.health import IntakeHealth
from bindstream.intake.stream import Hearer, Intake

__all__ = ["Hearer", "Intake", "IntakeHealth"]
