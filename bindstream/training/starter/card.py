"""MODEL_CARD.md of the starter: written from its figures, its checkpoints and its recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bindstream.evaluation.confusion import draw_confusions
from bindstream.models.directory import ModelSpec
from bindstream.records import ModalityName
from bindstream.training.starter.credits import CREDITS
from bindstream.training.starter.figures import Figure
from bindstream.training.starter.phrases import concepts
from bindstream.training.starter.recordings import Entry

CARD = "MODEL_CARD.md"
TOLD, NOT_TOLD = 0.8, 0.4
"""From which share right a kind counts as told apart, and below which it does not."""
FEWEST = 5  # recordings of a kind, before anything is said of it

SOURCES: dict[ModalityName, tuple[str, str]] = {
    "audio": (
        "K. J. Piczak, ESC-10 (part of ESC-50); AntumDeluge, Minetest mod *sounds*; Fris0uman,"
        f" CDDA CC-Sounds. Every file with author, licence and link: `{CREDITS}`",
        "CC0, CC BY 3.0, CC BY 4.0, by file",
    ),
    "vision": (
        "F.-F. Li, M. Andreeto, M. Ranzato, P. Perona, Caltech-101",
        "CC BY 4.0",
    ),
    "thermal": ("J. Suo et al., HIT-UAV (aerial)", "CC BY 4.0"),
    "imu": ("GeoTec, SP-SW-HAR (phone and watch)", "CC BY 4.0"),
}
"""Who recorded what, and under which licence."""

_HEAD = """# starter

A narrow model of ImageBind's architecture (arXiv 2305.05665), trained from scratch for bindstream
so that the package works out of the box. Six towers share one {dim}-dimensional space;
{megabytes:.1f} MB of fp16 safetensors.

It knows {concepts} concepts, said in the {words} words listed in `model.json` (`trained_words`);
bindstream warns of any other word. It is a demonstration and a baseline, not a safety device: do
not rely on it to guard people or property. For free text on real scenes, import a larger
checkpoint.
"""
_TRAINING = """
The text tower is trained first, on phrasings of the same concept (synonyms, plurals, verbs,
sentence frames, words it does not know in between), and its head then set in closed form so that
unrelated concepts lie apart. Every other tower is trained against the frozen text vectors by
InfoNCE at a fixed temperature, both ways, the one from words to windows counting half; what may be
true of a window too is never its negative. Text, not vision, is the anchor, unlike in the paper.
AdamW, warm-up and cosine, drop path, a running mean of the weights. Patch filters start from the
principal components of real patches, attention as it looks in trained transformers
(arXiv 2305.09828).

Sounds are cut to 2 s at random places, mixed with each other, with room tone and noise, changed
in level, colour, pitch and speed, and masked; pictures cropped, mirrored, turned, sheared,
recoloured, partly covered, shaken and made noisy; thermal crops cut around objects, turned and
stretched as gain control would; motion turned to any orientation, scaled and made noisy, at times
without a gyroscope. A sixth to a third of all windows show nothing in particular.

At the end the head of each tower is fitted again, to recordings as they are, and sounds in rooms.
"""
_COMMAND = """
```
python -m bindstream.training.starter --data DIR --out DIR --minutes {minutes:.0f}
python -m bindstream.training.starter.evaluate --data DIR --model DIR
```

`DIR` of the data holds the recordings above. The same minutes on another machine are other steps,
and this version was trained in rounds between which words, sampling and heads were revised:
another run gives a like model, not this one.
"""
_FIGURES = """
Held out by source: ESC-10's fold 4 and other recordings (of uploaders who are at times heard in
training with other recordings), whole flights, whole people, rendered houses of seeds that training
never drew. Of pictures no source is known: they are held
out by file. Printed by the second command above; intervals are 95 %, whole sources drawn again. A
clip counts once, by the mean of its windows (2 s, one a second). Some choices were made with these
figures in sight, so they lean to the bright side.
"""
_LAST = """
## Licence

Apache-2.0 for the weights. The recordings keep their own licences; credit their authors when you
pass the model on.
"""


def write_card(
    out: Path,
    spec: ModelSpec,
    figures: Sequence[Figure],
    entries: Sequence[Entry],
    costs: Mapping[ModalityName, tuple[int, float]],
) -> None:
    """Writes MODEL_CARD.md and the confusion tables into the model directory `out`.

    Args:
        costs: steps and seconds of each tower's training.
    """
    size = sum(path.stat().st_size for path in out.glob("*.safetensors"))
    parts = [
        _HEAD.format(
            dim=spec.dim,
            megabytes=size / 1e6,
            concepts=len(concepts()),
            words=len(spec.trained_words or ()),
        ),
        "## Towers\n",
        _towers(spec, costs),
        "## Training",
        _TRAINING,
        _recordings(entries),
        _COMMAND.format(minutes=sum(seconds for _, seconds in costs.values()) / 60),
        "## Figures",
        _FIGURES,
        _table(figures),
        _told(figures),
        _shares(figures),
        _confusions(out, figures),
        "## What it cannot do\n",
        "\n".join(f"- {limit}" for limit in spec.limits),
        _LAST,
    ]
    (out / CARD).write_text("\n".join(part for part in parts if part))


def _rows(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(c) for c in line) + " |\n" for line in lines)


def _towers(spec: ModelSpec, costs: Mapping[ModalityName, tuple[int, float]]) -> str:
    rows = []
    for modality, tower in spec.towers.items():
        steps, seconds = costs.get(modality, (0, 0.0))
        rows.append(
            (
                modality,
                f"{tower.width} / {tower.blocks} / {tower.heads}",
                "words" if modality == "text" else f"{tower.patch} ({tower.stride})",
                tower.tokens,
                f"{steps}",
                f"{seconds / 60:.0f}",
            )
        )
    head = (
        "tower", "width / blocks / heads", "patch (stride)", "tokens", "steps trained",
        "minutes on shared CPU cores",
    )  # fmt: skip
    return _rows(head, rows)


def _recordings(entries: Sequence[Entry]) -> str:
    rows: list[tuple[Any, ...]] = []
    for modality, (source, licence) in SOURCES.items():
        used = [e for e in entries if e.modality == modality]
        held = sum(e.held_out for e in used)
        rows.append((modality, len(used) - held, held, source, licence))
    rows.append(("all", "", "", "scenes rendered by `bindstream.scene`", "Apache-2.0"))
    return _rows(("modality", "trained on", "held out", "recordings", "licence"), rows)


def _table(figures: Sequence[Figure]) -> str:
    rows = []
    for figure in figures:
        beside = ", ".join(f"{name} {value:.3g}" for name, value in figure.beside.items())
        low, high = figure.interval
        rows.append(
            (figure.name, figure.metric, f"**{figure.value:.2f}** ({low:.2f} to {high:.2f})",
             figure.n, f"{figure.chance:.2f}", beside)
        )  # fmt: skip
    return _rows(("held out", "metric", "figure (95 %)", "n", "chance", "beside it"), rows)


def _told(figures: Sequence[Figure]) -> str:
    """Which kinds are told apart and which are not, worst first."""
    kinds = [
        (f"{kind} ({figure.name.split(',')[0]})", share)
        for figure in figures
        if figure.metric in ("top-1", "balanced accuracy")
        for kind, (share, n) in figure.by_class.items()
        if n >= FEWEST
    ]
    kinds.sort(key=lambda pair: pair[1])
    can = ", ".join(f"{kind} {share:.2f}" for kind, share in reversed(kinds) if share >= TOLD)
    not_told = ", ".join(f"{kind} {share:.2f}" for kind, share in kinds if share < NOT_TOLD)
    return (
        f"Told apart ({TOLD:.0%} right or more): {can or 'none'}.\n\n"
        f"Not told apart (under {NOT_TOLD:.0%} right): {not_told or 'none'}.\n"
    )


def _shares(figures: Sequence[Figure]) -> str:
    lines = ["Share right, by kind (how many held out):\n"]
    for figure in figures:
        if figure.by_class:
            kinds = sorted(figure.by_class.items(), key=lambda item: -item[1][0])
            said = ", ".join(f"{kind} {share:.2f} ({n})" for kind, (share, n) in kinds)
            lines.append(f"- {figure.name}: {said}")
    return "\n".join(lines) + "\n"


def _confusions(out: Path, figures: Sequence[Figure]) -> str:
    """Draws what was taken for what, a PNG a figure, and links them."""
    for old in out.glob("confusions-*.png"):
        old.unlink()
    links = []
    for figure in figures:
        if len(figure.wrong) > 1:
            name = "confusions-" + "-".join(figure.name.replace(",", "").split()) + ".png"
            draw_confusions(figure.wrong, figure.name, out / name)
            links.append(f"![{figure.name}: what was taken for what]({name})")
    return "\n".join(links) + "\n"


def costs(work: Path) -> dict[ModalityName, tuple[int, float]]:
    """Steps and seconds of each tower's training, from its checkpoint below `work`."""
    found: dict[ModalityName, tuple[int, float]] = {}
    for path in sorted(work.glob("*.pt")):
        state = torch.load(path, weights_only=True)
        found[path.stem] = (state["step"], state["spent_s"])  # type: ignore[index]
    return found
