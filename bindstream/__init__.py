"""bindstream: say in words what to watch for; every sensor listens.

    from bindstream import load_model, subscribe, Pipeline

The path of the data is the order to read the modules in: `sources` → `windows` → `features` →
`embedding` (`models`) → `bus` (`wire`) → `watch` (`matcher`, `calibration`, `rules`) → `sinks`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bindstream.bus import subscribe
    from bindstream.config import Config, load_config
    from bindstream.errors import BindstreamError
    from bindstream.models import load_model
    from bindstream.pipeline import Pipeline
    from bindstream.records import Alert, Embedding

__all__ = [
    "Alert",
    "BindstreamError",
    "Config",
    "Embedding",
    "Pipeline",
    "load_config",
    "load_model",
    "subscribe",
]

_HOMES = {
    "Alert": "records",
    "BindstreamError": "errors",
    "Config": "config",
    "Embedding": "records",
    "Pipeline": "pipeline",
    "load_config": "config",
    "load_model": "models",
    "subscribe": "bus",
}


def __getattr__(name: str) -> object:
    # Imported on first use: a sensor's process must not pay for what it does not need.
    if name not in _HOMES:
        raise AttributeError(f"module 'bindstream' has no attribute {name!r}")
    return getattr(import_module(f"bindstream.{_HOMES[name]}"), name)
