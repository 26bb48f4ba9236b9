"""What is known of a run, as each of its files says it; without passwords."""

from __future__ import annotations

import platform
import re
from typing import Any

import yaml

from bindstream.clocks.host import Clock
from bindstream.config import Config
from bindstream.sources.addresses import HIDDEN, redacted, without_stated

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_WITHIN = re.compile(rf"{_ADDRESS.pattern}[^\s\"']+", re.IGNORECASE)
"""As in the midst of a GStreamer pipeline."""
_SECRET = re.compile(r"pass(word|wd|phrase)?$|secret|token|api_?key|user(_?\w+)?$|auth", re.I)


def facts_of(
    config: Config, clock: Clock, begun_ns: int, *, fingerprint: str = ""
) -> dict[str, str]:
    """Facts of a run: the configuration as YAML, the model, the versions, and the clock of the host
    where it began: its offset to the monotonic one, and how far that may be off UTC ("": unknown).

    Args:
        begun_ns: the run's beginning, UTC ns.
        fingerprint: of the model that made the vectors; "" if none runs.
    """
    from importlib.metadata import version

    off_ns = clock.uncertainty_ns
    return {
        "format": "1",
        "begun_ns": str(begun_ns),
        "version": version("bindstream"),
        "python": platform.python_version(),
        "clock": clock.id,
        "clock_offset_ns": str(clock.offset_ns),
        "clock_uncertainty_ns": "" if off_ns is None else str(off_ns),
        "model": config.model.name if fingerprint else "",
        "fingerprint": fingerprint,
        "config": public_yaml(config),
    }


def public_yaml(config: Config) -> str:
    """The configuration as YAML that loads again, its passwords and the like as ***."""
    said = config.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(_public(said), sort_keys=False, allow_unicode=True)


def _public(said: Any, key: str = "") -> Any:
    if isinstance(said, dict):
        return {name: _public(value, str(name)) for name, value in said.items()}
    if isinstance(said, list):
        return [_public(value, key) for value in said]
    if not isinstance(said, str):
        return said
    if _SECRET.search(key):
        return HIDDEN
    if _ADDRESS.match(said):
        return redacted(said)
    return without_stated(_WITHIN.sub(lambda found: redacted(found[0]), said))
