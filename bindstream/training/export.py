"""Writing the model that a training made: the base's towers and the new ones, and their card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from bindstream.errors import DataError
from bindstream.models.directory import FILE_NAME, TOKENIZER, ModelSpec
from bindstream.models.loading import check_file, read_tensors
from bindstream.models.saving import ModelWriter
from bindstream.models.tokenizer import Tokenizer
from bindstream.records import ModalityName
from bindstream.training.outcome import TowerOutcome

MODEL_CARD = "MODEL_CARD.md"
INCOMPARABLE = (
    "Vectors stored from {base} ({old}) are not comparable with those of this model ({new}): embed "
    "recordings again, and teach queries again (bindstream teach --again)."
)
_MEANING = """
`r1`, `r5`: the right anchor is the first, or among the first five, of all held-out anchors by
cosine. `mrr`: one over its rank, on average. `top1`: the right class is the first of all classes.
`chance` is what guessing gives.
"""


def export(
    base: Path,
    spec: ModelSpec,
    out: Path,
    name: str,
    towers: Mapping[ModalityName, nn.Module],
    outcomes: Sequence[TowerOutcome],
    *,
    data: Sequence[str],
    command: str,
) -> ModelSpec:
    """Write the model directory; returns what its model.json says. Blocks.

    The base's towers are copied as they are. Files that its notes name (credits, card) come along,
    since they state what its licence asks for.

    Args:
        data: what was trained on, a line each.
        command: what was typed.

    Raises:
        ModelError: the base is damaged, weights are not finite, or it cannot be written.
    """
    made = _spec(spec, name, outcomes)
    with ModelWriter(out, made) as writer:
        if TOKENIZER in spec.files:
            path = check_file(base, spec, TOKENIZER)
            writer.add_tokenizer(Tokenizer.load(path, spec.trained_words))
        for modality in made.towers:
            if modality in towers:
                writer.add_tower(modality, towers[modality].state_dict().items())
            else:
                path = check_file(base, spec, f"{modality}.safetensors")
                writer.add_tower(modality, read_tensors(path))
        made = writer.finish()
    try:
        _copy_notes(base, spec, out)
        for outcome in outcomes:
            for path in (outcome.curve, outcome.curve.with_suffix(".png")):
                if path.is_file():
                    shutil.copyfile(path, out / path.name)
        card = _card(made, spec, outcomes, data, command)
        (out / MODEL_CARD).write_text(card, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"The model's card cannot be written: {error.strerror}.", where=str(out)
        ) from error
    return made


def _spec(spec: ModelSpec, name: str, outcomes: Sequence[TowerOutcome]) -> ModelSpec:
    trained = {outcome.modality: outcome for outcome in outcomes}
    licence = (
        f"{spec.licence}; {', '.join(trained)} trained further, on data whose own terms apply too"
    )
    if "card" in spec.notes:
        licence += f" (of {spec.name}: {_base_card(spec)})"
    fresh = {m for m, outcome in trained.items() if outcome.start == "fresh"}
    limits = [limit for limit in spec.limits if limit.partition(":")[0] not in fresh] + [
        _limit(outcome) for outcome in outcomes
    ]
    background = dict(spec.background)
    for modality, outcome in trained.items():
        before = () if modality in fresh and len(outcome.said) > 1 else background.get(modality, ())
        background[modality] = tuple(dict.fromkeys((*before, *outcome.said)))
    return ModelSpec(
        name=name,
        licence=licence,
        architecture=spec.architecture,
        dim=spec.dim,
        dtype=spec.dtype,
        towers={**spec.towers, **{m: outcome.size for m, outcome in trained.items()}},
        temperature={
            **spec.temperature, **{m: outcome.recipe.temperature for m, outcome in trained.items()}
        },
        scales={m: scale for m, scale in spec.scales.items() if m not in trained},
        limits=tuple(limits),
        trained_words=spec.trained_words,
        background={m: phrases for m, phrases in background.items() if phrases},
        notes=_notes(spec, outcomes),
    )  # fmt: skip


def _limit(outcome: TowerOutcome) -> str:
    said = f"{outcome.modality}: trained on {outcome.windows} windows of {outcome.sources} sources"
    said += " from new weights" if outcome.start == "fresh" else " from the base's weights"
    if not outcome.after:
        return f"{said}; nothing was held out, so nobody knows how well it does on others."
    best = "top1" if "top1" in outcome.after else "r1"
    return (
        f"{said}; on {outcome.held_out_sources} held-out sources {best} is "
        f"{outcome.after[best]:.2f} (chance {outcome.chance[best]:.2f})."
    )


def _notes(spec: ModelSpec, outcomes: Sequence[TowerOutcome]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.notes.items() if key != "card"}
    if "card" in spec.notes:
        kept[f"card_of_{spec.fingerprint}"] = _base_card(spec)
    return {
        **kept,
        "card": MODEL_CARD,
        "base": {"name": spec.name, "fingerprint": spec.fingerprint},
        "trained": [
            {key: value for key, value in outcome.record().items() if key != "curve"}
            for outcome in outcomes
        ],
    }


def _base_card(spec: ModelSpec) -> str:
    """The name of the base's card in the new directory, which has a card of its own."""
    return f"MODEL_CARD_{spec.fingerprint}.md"


def _copy_notes(base: Path, spec: ModelSpec, out: Path) -> None:
    for key, value in spec.notes.items():
        if isinstance(value, str) and FILE_NAME.fullmatch(value) and (base / value).is_file():
            shutil.copyfile(base / value, out / (_base_card(spec) if key == "card" else value))


def _card(
    made: ModelSpec,
    spec: ModelSpec,
    outcomes: Sequence[TowerOutcome],
    data: Sequence[str],
    command: str,
) -> str:
    trained = ", ".join(outcome.modality for outcome in outcomes)
    others = ", ".join(m for m in made.towers if m not in {o.modality for o in outcomes})
    parts = [
        f"# {made.name}",
        f"Fingerprint {made.fingerprint}. Made by bindstream from {spec.name} "
        f"({spec.fingerprint}): {trained} trained against its frozen towers; {others or 'no'} "
        "towers taken from it unchanged.",
        INCOMPARABLE.format(base=spec.name, old=spec.fingerprint, new=made.fingerprint),
        f"```\n{command}\n```",
        "## Data",
        "\n".join(f"- {line}" for line in data),
        "Held out by source: no recording of a source that is measured with was trained on.",
        *(_tower_part(outcome) for outcome in outcomes),
        "## Licence",
        f"{made.licence}.",
    ]
    if "card" in spec.notes:
        parts.append(f"What {spec.name} was made of and cannot do: {_base_card(spec)}.")
    return "\n\n".join(parts) + "\n"


def _tower_part(outcome: TowerOutcome) -> str:
    size, recipe = outcome.size, outcome.recipe.model_dump(exclude_defaults=True)
    said = ", ".join(f"{key} {value:g}" for key, value in recipe.items())
    start = "new weights" if outcome.start == "fresh" else "the base's weights"
    lines = [
        f"## {outcome.modality}",
        f"Width {size.width}, {size.blocks} blocks, {size.heads} heads, patch {size.patch} (stride "
        f"{size.stride}), from {start}. Symmetric InfoNCE, AdamW; recipe: {said}. {outcome.steps} "
        f"steps in {outcome.minutes:.1f} minutes; last loss {outcome.loss:.3f}.",
        f"Trained on {outcome.windows} windows of {outcome.sources} sources; measured with "
        f"{outcome.held_out_windows} windows of {outcome.held_out_sources} other sources. "
        f"{outcome.void} windows could not be used.",
    ]
    if outcome.after:
        rows = ["| held out | before | after | chance |", "| --- | --- | --- | --- |"]
        for name, value in outcome.after.items():
            chance = f"{outcome.chance[name]:.3f}" if name in outcome.chance else ""
            before = f"{outcome.before[name]:.3f}"
            rows.append(f"| {name.replace('_', ' ')} | {before} | {value:.3f} | {chance} |")
        lines += ["\n".join(rows), _MEANING.strip()]
    else:
        lines.append("Nothing was held out: there is no figure for new recordings.")
    lines.append(f"The course: {outcome.curve.name}, {outcome.curve.with_suffix('.png').name}.")
    return "\n\n".join(lines)
