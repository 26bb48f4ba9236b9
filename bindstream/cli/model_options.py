"""Options of commands that load a model, and what such a command warns of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from bindstream.cli.app import warn
from bindstream.models.precision import Precision

if TYPE_CHECKING:
    from bindstream.models.encoder import Model

DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 …")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")]
PrecisionOption = Annotated[
    Precision, typer.Option("--precision", help="What to compute in; auto is what pays here.")
]


def warn_of(model: Model, texts: Iterable[str] = ()) -> None:
    """Say what cannot be trusted of a model's towers, and which words it does not know."""
    said = [f"{tower}: {warning}" for tower, warning in model.warnings.items()]
    for text in texts:
        if unknown := model.unknown_words(text):
            words = ", ".join(map(repr, unknown))
            said.append(f"{text!r}: the model has never seen {words}; its answer is a guess.")
    for warning in said:
        warn(warning)
