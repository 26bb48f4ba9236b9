"""Trains the starter from scratch: `python -m bindstream.training.starter --data DIR --out DIR`.

Words first, then each sensor; resumable; ends by writing the model directory. Windows are prepared
once and kept below --work.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from bindstream.modalities import SENSORS
from bindstream.models import load_model
from bindstream.models.directory import ModelSpec, read_spec
from bindstream.models.imagebind import Tower
from bindstream.models.saving import save_model
from bindstream.models.sizes import TowerConfig
from bindstream.models.tokenizer import Tokenizer, word_tokenizer
from bindstream.records import ModalityName
from bindstream.scene.catalogue import BACKGROUNDS as RENDERED_BACKGROUNDS
from bindstream.scene.catalogue import kinds_of
from bindstream.training import motions, sights, sounds
from bindstream.training.recipe import Recipe
from bindstream.training.starter import activities, head, held_out, scenes
from bindstream.training.starter.bank import Bank
from bindstream.training.starter.card import CARD, costs, write_card
from bindstream.training.starter.credits import CREDITS, write_credits
from bindstream.training.starter.evaluate import COUNT, evaluate, line
from bindstream.training.starter.further_words import FINER
from bindstream.training.starter.kept import digest, kept
from bindstream.training.starter.phrases import BACKGROUND_OF, concepts, vocabulary
from bindstream.training.starter.recordings import Entry, read_recordings
from bindstream.training.starter.sight_words import PICTURES, SAME_AS
from bindstream.training.starter.sound_words import SOUNDS
from bindstream.training.starter.text import train_text
from bindstream.training.trainer import Moment, NextBatch, Watch, train_tower

DIM = 256
SEED = 1
PART = "training"  # names the seeds that scenes are drawn from; held-out ones have another name

# Patches are larger than ImageBind's, so that an edge CPU embeds a window in milliseconds.
SIZES: dict[ModalityName, dict[str, int]] = {
    "vision": {"width": 160, "blocks": 5, "heads": 5, "patch": 32, "stride": 24},
    "audio": {"width": 160, "blocks": 4, "heads": 5, "patch": 16, "stride": 16},
    "thermal": {"width": 128, "blocks": 4, "heads": 4, "patch": 28, "stride": 28},
    "depth": {"width": 128, "blocks": 4, "heads": 4, "patch": 28, "stride": 28},
    "imu": {"width": 96, "blocks": 4, "heads": 3, "patch": 25, "stride": 25},
    "text": {"width": 192, "blocks": 3, "heads": 6},
}
# Share of the time given to each tower.
SHARES: dict[ModalityName, float] = {
    "text": 0.04, "audio": 0.33, "vision": 0.30, "thermal": 0.28, "imu": 0.03, "depth": 0.02,
}  # fmt: skip
RECIPES: dict[ModalityName, dict[str, float]] = {
    "text": {"rate": 1.5e-3, "decay": 0.05},
    "audio": {"keep": 0.5, "decay": 0.2, "drop_path": 0.1},
    # What happens fills few of the patches of a room: dropping many would hide it.
    "vision": {"keep": 0.6, "decay": 0.2, "drop_path": 0.1},
    "thermal": {"keep": 0.8},
    "depth": {"keep": 0.8},
    "imu": {"keep": 0.5, "decay": 0.2, "drop_path": 0.1},
}
SCENES: dict[ModalityName, int] = {
    "audio": 120, "vision": 250, "thermal": 500, "depth": 400, "imu": 400,
}  # fmt: skip

DRAWN = 60
"""Training batches that a head is fitted to, beside recordings as they are."""
Log = Callable[[str], None]

LIMITS = (
    "text: knows the words it was trained on alone; negations and counts mean nothing to it.",
    "audio: sure of ESC-10's ten sounds and the rendered events; of the other sounds it has a "
    "handful of recordings each, and mistakes many.",
    "vision: 87 kinds of objects that fill the picture, of which it knows the common ones; real "
    "rooms were never seen, people and dogs in them are rendered figures.",
    "thermal: crops of people, vehicles and bicycles from the air; at ground level rendered scenes "
    "alone, so experimental.",
    "depth: experimental; rendered rooms alone.",
    "imu: five activities of 14 people with a phone or a watch; falls, running, stairs, cycling, "
    "shaking and lying are rendered.",
)


def tokenizer() -> Tokenizer:
    """The tokenizer of all words of the phrases."""
    return word_tokenizer(vocabulary())


def new_tower(modality: ModalityName, tokens: Tokenizer) -> Tower:
    """A tower of the starter's size with fresh weights, the same each time."""
    torch.manual_seed(SEED)
    text = {}
    if modality == "text":
        text = {"vocabulary": tokens.vocabulary, "end_id": tokens.end_id}
    return Tower(TowerConfig(modality=modality, dim=DIM, **SIZES[modality], **text))


def windows(
    modality: ModalityName, entries: Sequence[Entry], work: Path, scale: float
) -> NextBatch:
    """What to train a tower on: recordings that are not held out, and rendered scenes."""
    mine = [e for e in entries if e.modality == modality and not e.held_out]
    count = max(2, round(SCENES[modality] * scale))
    rng = np.random.default_rng(SEED)
    nothing = BACKGROUND_OF[modality]
    if modality == "audio":
        real = [sounds.read_piece(e.path, e.concepts) for e in mine]
        pieces = kept(work / f"audio.{count}", lambda: list(scenes.sounds(count, PART)))
        return sounds.SoundBatches(real, pieces, frozenset({nothing}), FINER).batch
    if modality == "imu":
        moves = kept(work / f"imu.{digest(mine)}", lambda: activities.recorded(mine, 6, rng))
        rendered = kept(work / f"imu.{count}", lambda: scenes.motions(count, PART))
        return motions.MotionBatches(moves, rendered, nothing).batch
    pictures = [sights.read_sight(modality, e.path, e.concepts, e.boxes) for e in mine]
    houses = kept(work / f"{modality}.{count}", lambda: scenes.sights(modality, count, PART))
    return sights.SightBatches(modality, [*pictures, *houses], frozenset({nothing})).batch


def train(
    data: Path,
    work: Path,
    minutes: float,
    towers: Sequence[ModalityName],
    *,
    resume: bool,
    scale: float,
    log: Log,
) -> None:
    """Trains the towers named, each for its share of `minutes`, into checkpoints below `work`."""
    tokens = tokenizer()
    text, checkpoint = new_tower("text", tokens), work / "text.pt"
    go_on = resume or "text" not in towers
    train_text(
        text, tokens, recipe("text", minutes), SEED, _watch("text", log), checkpoint, resume=go_on
    )
    bank = Bank(text.eval(), tokens, ways=24, seed=SEED)
    entries = read_recordings(data)
    for modality in (m for m in towers if m != "text"):
        log(f"{modality} preparing windows")
        tower, next_batch = new_tower(modality, tokens), windows(modality, entries, work, scale)
        train_tower(
            tower,
            next_batch,
            bank,
            recipe(modality, minutes),
            pairs=len(entries),
            checkpoint=work / f"{modality}.pt",
            resume=resume,
            seed=SEED,
            watch=_watch(modality, log),
            finish=functools.partial(settle, tower, next_batch, entries, bank, log),
        )


def settle(
    tower: Tower, next_batch: NextBatch, entries: Sequence[Entry], bank: Bank, log: Log
) -> None:
    """Fits the head of a tower to recordings as they are and to `DRAWN` batches of training."""
    modality = tower.config.modality
    log(f"{modality} settling")
    rng = np.random.default_rng(SEED + 7)
    batches = (next_batch(head.BATCH, rng) for _ in range(DRAWN))
    before, after = head.fit_head(
        tower,
        (
            head.Seen(one.inputs, [one.concepts] * len(one.inputs))
            for one in recorded(modality, entries)
        ),
        (head.Seen(inputs, labels) for inputs, labels in batches),
        bank,
    )
    log(f"{modality} loss on recordings {before:.3f}, with the head settled {after:.3f}")


def recorded(modality: ModalityName, entries: Sequence[Entry]) -> Iterator[held_out.Shown]:
    """The recordings that are trained on, read as the held-out ones are; sounds in a room too.

    Many sounds were cut out of silence: alone, they would teach that a bark in a quiet room is the
    ticking of a clock, which was recorded in one.
    """
    mine = [e for e in entries if e.modality == modality and not e.held_out]
    if modality == "imu":
        yield from held_out.activities(mine)
        yield from held_out.activities(mine, alone=True)
    elif modality == "audio":
        rng = np.random.default_rng(SEED)
        yield from held_out.sounds(mine)
        for entry in mine:
            heard = sounds.in_a_room(sounds.read_sound(entry.path), rng)
            yield held_out.Shown(heard, entry.concepts, entry.group, entry.label)
    elif modality != "depth":
        read = {"vision": held_out.pictures, "thermal": held_out.crops}
        # Of aerial frames' 20,000 boxes some are enough.
        yield from itertools.islice(
            read[modality](mine), 0, None, 5 if modality == "thermal" else 1
        )


def recipe(modality: ModalityName, minutes: float) -> Recipe:
    """A tower's recipe and its share of `minutes`."""
    length = {"minutes": minutes * SHARES[modality], "reuse": 1 if modality == "text" else 2}
    # Of a handful of words many windows share each: the way back tells little.
    return Recipe.model_validate({**length, "back": 0.5, **RECIPES[modality]})


def _watch(modality: ModalityName, log: Log) -> Watch:
    shown_s = -math.inf

    def watch(moment: Moment) -> None:
        nonlocal shown_s
        if moment.spent_s - shown_s > 20:
            shown_s = moment.spent_s
            log(
                f"{modality} {moment.progress:4.0%} {moment.spent_s / 60:5.1f} min "
                f"step {moment.step} loss {moment.loss:.3f}"
            )

    return watch


def export(work: Path, out: Path) -> str:
    """Writes the model directory from the checkpoints below `work`; returns its fingerprint."""
    tokens = tokenizer()
    towers: dict[ModalityName, Tower] = {}
    for modality in ("text", *SENSORS):
        if (work / f"{modality}.pt").is_file():
            tower = new_tower(modality, tokens)
            state = torch.load(work / f"{modality}.pt", weights_only=True)
            tower.load_state_dict(state["averaged"])
            towers[modality] = tower.eval()
    spec = ModelSpec(
        name="starter",
        licence="Apache-2.0; trained on CC0 and CC BY recordings, credited in MODEL_CARD.md",
        dim=DIM,
        towers={modality: tower.config for modality, tower in towers.items()},
        temperature={modality: 0.07 for modality in towers if modality != "text"},
        trained_words=vocabulary(),
        limits=LIMITS,
        background={m: background(m) for m in SENSORS},
        notes={"card": CARD, "credits": CREDITS},
    )
    return save_model(out, spec, towers, tokens)


def background(modality: ModalityName) -> tuple[str, ...]:
    """What else a window may show: nothing in particular, or any other thing the tower knows.

    A query's score is contrasted with all of these that do not mean the same.
    """
    known: dict[ModalityName, Iterable[str]] = {
        "audio": SOUNDS,
        "vision": (SAME_AS.get(label, label) for label in PICTURES),
        "thermal": ("person", "car", "bicycle", "truck"),
        "imu": ("standing_up", "sitting_down", "turning"),
    }
    names = (*known.get(modality, ()), *kinds_of(modality))
    nothing = (*RENDERED_BACKGROUNDS[modality], *concepts()[BACKGROUND_OF[modality]].phrases[:4])
    return tuple(dict.fromkeys((*nothing, *(concepts()[name].phrases[0] for name in names))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Blocks until all is trained; 0 if so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the four tables")
    parser.add_argument("--out", type=Path, required=True, help="model directory to write")
    parser.add_argument("--work", type=Path, help="checkpoints and prepared windows (OUT.work)")
    parser.add_argument("--minutes", type=float, default=300.0, help="of training in all")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints")
    parser.add_argument("--towers", default=",".join(SHARES), help="which towers to train")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the scenes to render")
    parser.add_argument("--describe", action="store_true", help="only measure, and write the card")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    work = options.work or options.out.with_name(options.out.name + ".work")
    towers = [name for name in options.towers.split(",") if name]
    began = time.monotonic()
    log = functools.partial(print, file=sys.stderr, flush=True)
    if not options.describe:
        train(
            options.data, work, options.minutes, towers,
            resume=options.resume, scale=options.scale, log=log,
        )  # fmt: skip
    fingerprint = export(work, options.out)
    log(f"wrote {options.out} ({fingerprint}) after {(time.monotonic() - began) / 60:.1f} minutes")
    describe(options.data, work, options.out, log)
    return 0


def describe(data: Path, work: Path, out: Path, log: Log) -> None:
    """Measures the model in `out` and writes its card and credits beside the weights."""
    entries, model = read_recordings(data), load_model(out)
    write_credits(data, entries, out / CREDITS)
    figures = []
    for figure in evaluate(model, data, [m for m in SENSORS if m in model.modalities], COUNT, log):
        figures.append(figure)
        log(line(figure))
    write_card(out, read_spec(out), figures, entries, costs(work))
