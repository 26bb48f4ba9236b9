"""Configurations: what a YAML file may say, and what is wrong with one that says it wrongly."""

from __future__ import annotations

from bindstream.config.bus import BusConfig
from bindstream.config.check import check_config, json_schema, load_config
from bindstream.config.evidence import EvidenceConfig
from bindstream.config.history import HistoryConfig
from bindstream.config.metrics import MetricsConfig
from bindstream.config.problem import Problem
from bindstream.config.query import QueryConfig
from bindstream.config.record import RecordConfig
from bindstream.config.schema import (
    Config,
    ModelConfig,
    PlacementConfig,
    RayConfig,
    StreamConfig,
    find_clashes,
)
from bindstream.config.sinks import BusSinkConfig, JsonlSinkConfig, SinkConfig, TerminalSinkConfig

__all__ = [
    "BusConfig",
    "BusSinkConfig",
    "Config",
    "EvidenceConfig",
    "HistoryConfig",
    "JsonlSinkConfig",
    "MetricsConfig",
    "ModelConfig",
    "PlacementConfig",
    "Problem",
    "QueryConfig",
    "RayConfig",
    "RecordConfig",
    "SinkConfig",
    "StreamConfig",
    "TerminalSinkConfig",
    "check_config",
    "find_clashes",
    "json_schema",
    "load_config",
]
