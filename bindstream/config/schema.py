"""The sections of a configuration, with their bounds, defaults and meanings."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from bindstream.config.bus import BusConfig
from bindstream.config.evidence import EvidenceConfig
from bindstream.config.gate import GateConfig, Gated
from bindstream.config.history import HistoryConfig
from bindstream.config.metrics import MetricsConfig
from bindstream.config.query import QueryConfig
from bindstream.config.record import RecordConfig
from bindstream.config.rule import RuleConfig
from bindstream.config.rules_check import rule_clashes
from bindstream.config.section import Section
from bindstream.config.sinks import SinkConfig, TerminalSinkConfig
from bindstream.config.state import StateConfig, state_path
from bindstream.config.written import NAME, Name
from bindstream.features.depth import KINECT
from bindstream.gate import GATE_LEVELS
from bindstream.models.precision import Precision
from bindstream.records import ModalityName
from bindstream.sources.options import SourceOptions
from bindstream.sources.registry import KINDS

if TYPE_CHECKING:
    AnySource = SourceOptions
else:
    AnySource = Annotated[
        functools.reduce(operator.or_, (kind.options for kind in KINDS.values())),
        Discriminator("kind"),
    ]


class PlacementConfig(Section):
    """Where in a Ray cluster a stream's actor runs; anywhere if both are left out."""

    node: str | None = Field(default=None, description="id or IP address of the Ray node")
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="custom Ray resources the node must have"
    )


class FeaturesConfig(Section):
    """How a stream's readings become the model's input, where a modality leaves a choice."""

    span_c: tuple[float, float] | None = Field(
        default=None, description="thermal: fixed span in °C, such as [10, 45]; else gain control"
    )
    baseline_m: float = Field(
        default=KINECT.baseline_m, gt=0, le=1, description="depth: stereo baseline, metres"
    )
    focal_px: float = Field(
        default=KINECT.focal_px, gt=0, le=10000, description="depth: focal length, pixels"
    )
    disparity_scale: float = Field(
        default=KINECT.scale, gt=0, le=100, description="depth: multiplies the disparity"
    )

    @model_validator(mode="after")
    def _rising(self) -> FeaturesConfig:
        if self.span_c is not None and not self.span_c[0] < self.span_c[1]:
            raise PydanticCustomError("span", "span_c must be [low, high] with low below high")
        return self


class StreamConfig(Section):
    """One sensor, its name, and how it is cut into windows."""

    name: Annotated[Name, Field(description=f"unique, matches {NAME}")]
    modality: ModalityName = Field(description="follows from the source but for kind: scene")
    source: AnySource
    window_s: float | None = Field(
        default=None, ge=0.1, le=60, description="the modality's own if left out"
    )
    hop_s: float | None = Field(
        default=None, ge=0.05, le=60, description="the modality's own if left out"
    )
    features: FeaturesConfig = FeaturesConfig()
    gate: Gated = Field(
        default=None,
        description="reuse the last vector while hardly anything changes; true takes the defaults",
    )
    placement: PlacementConfig = PlacementConfig()

    @model_validator(mode="before")
    @classmethod
    def _modality_of_source(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("modality") is not None:
            return data
        modality = _fixed_modality(data.get("source"))
        return {**data, "modality": modality} if modality else data

    @model_validator(mode="after")
    def _modality_fits(self) -> StreamConfig:
        fixed = _fixed_modality(self.source)
        if self.modality == "text":
            raise PydanticCustomError("not_a_sensor", "text is no sensor, it cannot be a stream")
        if fixed and fixed != self.modality:
            raise PydanticCustomError(
                "modality",
                "modality is {modality} but this kind of source yields {fixed}; leave it out",
                {"modality": self.modality, "fixed": fixed},
            )
        return self

    @model_validator(mode="after")
    def _gate_fits(self) -> StreamConfig:
        if self.gate and (foreign := _foreign_levels(self.gate, self.modality)):
            raise ValidationError.from_exception_data("gate", foreign)
        return self


def _foreign_levels(gate: GateConfig, modality: ModalityName) -> list[InitErrorDetails]:
    own = ", ".join(GATE_LEVELS[modality])
    said = "is for {owner}, this stream is {modality}: its gate takes {own}"
    return [
        InitErrorDetails(
            type=PydanticCustomError(
                "foreign_level", said, {"owner": owner, "modality": modality, "own": own}
            ),
            loc=("gate", name),
            input=getattr(gate, name),
        )
        for name, owner in gate.foreign(modality).items()
    ]


def _fixed_modality(source: Any) -> ModalityName | None:
    """The one modality a source of this kind yields; None if it depends or is not known."""
    if isinstance(source, dict):
        name = source.get("kind")
        kind = KINDS.get(name) if isinstance(name, str) else None
        return kind.modality if kind else None
    return next((k.modality for k in KINDS.values() if type(source) is k.options), None)


class ModelConfig(Section):
    """Which model embeds the windows, where, and in what batches."""

    name: str = Field(
        default="starter",
        min_length=1,
        description="a model that ships with bindstream, or a model directory (./mine, /opt/mine)",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto takes CUDA where it works, else the CPU",
    )
    actors: int = Field(default=1, ge=1, le=64, description="embedding processes, one a device")
    num_gpus: float = Field(
        default=0, ge=0, le=64, description="GPUs Ray sets aside for each embedding process"
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="torch threads of each; Ray's choice if left out"
    )
    batch: int = Field(default=8, ge=1, le=1024, description="most windows embedded at one go")
    wait_ms: float = Field(
        default=5, ge=0, le=1000, description="longest wait for a batch to fill, milliseconds"
    )
    precision: Precision = Field(
        default="auto",
        description="auto takes float16 on CUDA, bfloat16 on a CPU that computes in it, else "
        "float32; int8 (CPU) takes a quarter of float32's memory",
    )
    compile: bool = Field(
        default=False,
        description="compile the towers with torch.compile: needs a C++ compiler and minutes at "
        "the start; measure whether it pays before you keep it",
    )
    keep_text_s: float = Field(
        default=60,
        ge=0,
        le=86400,
        description="how long the text tower stays in memory unused, seconds; longer, up to an "
        "hour, where queries keep coming",
    )


class RayConfig(Section):
    """The Ray that runs the actors: one of its own on this machine, or a cluster that is up."""

    address: str | None = Field(
        default=None,
        min_length=1,
        description='HOST:PORT or "auto" for a running cluster; one is started if left out',
    )
    object_store_mb: int = Field(
        default=256, ge=75, le=1 << 20, description="shared memory for windows, MiB"
    )


class Config(Section):
    """A whole configuration."""

    streams: tuple[StreamConfig, ...] = Field(min_length=1)
    model: ModelConfig = ModelConfig()
    bus: BusConfig = BusConfig()
    ray: RayConfig = RayConfig()
    queries: tuple[QueryConfig, ...] = ()
    rules: tuple[RuleConfig, ...] = ()
    sinks: tuple[SinkConfig, ...] = (TerminalSinkConfig(kind="terminal"),)
    history: HistoryConfig | None = None
    evidence: EvidenceConfig | None = None
    record: RecordConfig | None = None
    state: StateConfig | None = None
    metrics: MetricsConfig | None = None

    @property
    def modalities(self) -> tuple[ModalityName, ...]:
        """What its streams are of, each once."""
        return tuple(sorted({stream.modality for stream in self.streams}))

    @property
    def towers(self) -> tuple[ModalityName, ...]:
        """The towers it needs: those of its streams, and text's if there are queries of words."""
        worded = any(query.texts for query in self.queries)
        return (*self.modalities, "text") if worded else self.modalities

    @property
    def state_path(self) -> Path | None:
        """Where its state is kept; None if it keeps none."""
        return state_path(self.state, self.history)

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        clashes = find_clashes(enumerate(self.streams), enumerate(self.queries), ())
        modality_of = {stream.name: stream.modality for stream in self.streams}
        ids = [query.id for query in self.queries]
        clashes += rule_clashes(enumerate(self.rules), ids, modality_of)
        if clashes:
            lines = "; ".join(f"{where}: {what}" for where, what in clashes)
            raise PydanticCustomError("clash", "{lines}", {"lines": lines})
        return self


Where = tuple[str | int, ...]


def find_clashes(
    streams: Iterable[tuple[int, StreamConfig]],
    queries: Iterable[tuple[int, QueryConfig]],
    other_names: Iterable[str],
) -> list[tuple[Where, str]]:
    """What only shows across sections, as (place, what is wrong).

    Args:
        streams, queries: the valid ones with their places in the lists.
        other_names: names of streams that are there but invalid, so that a query may name them.
    """
    found: list[tuple[Where, str]] = []
    modality_of: dict[str, str | None] = dict.fromkeys(other_names)
    for i, stream in streams:
        if stream.name in modality_of:
            found.append((("streams", i, "name"), f"{stream.name!r} names another stream already"))
        modality_of[stream.name] = stream.modality
    known = ", ".join(modality_of)
    ids: set[str] = set()
    for i, query in queries:
        if query.id in ids:
            found.append((("queries", i, "id"), f"{query.id!r} names another query already"))
        ids.add(query.id)
        unknown = [name for name in query.streams or () if name not in modality_of]
        found += [
            (("queries", i, "streams"), f"no stream is named {name!r}; there are: {known}")
            for name in unknown
        ]
        heard = {modality_of[name] for name in query.streams or modality_of if name in modality_of}
        if None in heard or unknown:
            continue
        found += [
            (("queries", i, "modalities"), f"no stream this query listens to is {modality}")
            for modality in query.modalities or ()
            if modality not in heard
        ]
    return found
