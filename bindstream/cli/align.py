"""bindstream align: one new sensor into the joint space, without a configuration."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bindstream.cli import train_report
from bindstream.cli.app import app
from bindstream.cli.embed import modality_named
from bindstream.cli.listing import listing
from bindstream.cli.model_options import DeviceOption, ThreadsOption
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.records import ModalityName
    from bindstream.training.config import DataConfig, TowerTraining

_HELP = """Fit one tower to a sensor of your own; everything else stays as it is.

MODALITY is what the sensor is like: vision, audio, thermal, depth or imu. It
learns from what you have of it:

--labelled: a folder with a folder for each class, named as the class is said;
files in a further folder below share a source (CLASS/PERSON/FILE). Or a CSV
list: file, label and, if you like, start_s, end_s, source.

--paired: a CSV list of recordings of two sensors at once: file, with_file,
with_modality and, if you like, start_s, end_s, offset_s, source.

--with: two recordings made at once, this sensor's and another one's, or
several such pairs. --offset-s says how much later the same moment is in the
other one.

A fifth of the sources (of the files, where none is named) is held out, and the
tower is measured with it. Where the base has such a tower, training begins
with its weights unless --fresh is given. It is the same training as that of
`bindstream train`, by the published recipe in batches of 64.

Examples:

  bindstream align audio --labelled my_sounds --out mine --minutes 20

  bindstream align imu --labelled moves.csv --out wrist --fresh

  bindstream align imu --with monday.csv monday.mp4 tuesday.csv tuesday.mp4 \\
    --offset-s 1.5 --out belt
"""
BATCH = 64  # many short steps teach more in minutes than few large ones
SIZE = {"width": 128, "blocks": 4, "heads": 4}  # where the base has no such tower


@app.command(help=_HELP, cls=listing("--with"))
def align(
    context: typer.Context,
    modality: Annotated[str, typer.Argument(metavar="MODALITY", help="What the sensor is like.")],
    to: Annotated[Path, typer.Option("--out", "-o", help="The model directory to write.")],
    labelled: Annotated[
        Path | None, typer.Option(help="A folder of classes, or a CSV list with labels.")
    ] = None,
    paired: Annotated[Path | None, typer.Option(help="A CSV list of two sensors' files.")] = None,
    both: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="FILE_A FILE_B", help="Two recordings made at once."),
    ] = None,
    with_modality: Annotated[
        str | None, typer.Option(help="Of the other sensor's files, if nothing else says it.")
    ] = None,
    offset_s: Annotated[
        float, typer.Option(help="--with: how much later a moment is in FILE_B, seconds.")
    ] = 0.0,
    base: Annotated[str, typer.Option(help="A model's name or directory.")] = "starter",
    from_base: Annotated[
        bool | None,
        typer.Option("--from-base/--fresh", help="Begin with the base's weights, or new ones."),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="How long to train.")] = 10.0,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the sources to measure with.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Draws what is held out, and weights.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was stopped.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Begin anew, and replace the model in --out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the final figures, JSON.")] = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    name = modality_named(modality)
    other = modality_named(with_modality) if with_modality else None
    work = to.absolute().with_name(to.absolute().name + ".work")
    data = [
        *_labelled(name, labelled, work),
        *_paired(name, other, paired),
        *_both(name, other, both or [], offset_s, work),
    ]
    if not data:
        raise ConfigError(
            "there is nothing to learn from.", fix="Give --labelled, --paired or --with."
        )
    from bindstream.training.config import TrainConfig

    start = None if from_base is None else "base" if from_base else "fresh"
    config = TrainConfig(
        base=str(Path(base).absolute()) if Path(base).is_dir() else base,
        out=to.absolute(),
        towers=(_tower(name, base, start, minutes),),
        data=tuple(data),
        held_out=held_out,
        seed=seed,
    )
    train_report.run(
        config,
        context,
        resume=resume,
        force=force,
        as_json=as_json,
        device=device,
        threads=threads,
    )


def _tower(modality: ModalityName, base: str, start: str | None, minutes: float) -> TowerTraining:
    from bindstream.models import model_directory
    from bindstream.models.directory import read_spec
    from bindstream.training.config import TowerTraining

    known = modality in read_spec(model_directory(base)).towers
    given = {"modality": modality, "start": start, "recipe": {"minutes": minutes, "batch": BATCH}}
    return TowerTraining.model_validate(given if known else {**given, "size": SIZE})


def _labelled(modality: ModalityName, given: Path | None, work: Path) -> Iterator[DataConfig]:
    """A folder of classes, written down as a list; or a list."""
    from bindstream.evaluation.files import media
    from bindstream.evaluation.listed import SUFFIXES
    from bindstream.training.config import DataConfig

    if given is None:
        return
    if not given.is_dir():
        yield DataConfig.model_validate({"manifest": given.absolute(), "modality": modality})
        return
    rows = []
    for folder in sorted(p for p in given.iterdir() if p.is_dir() and p.name[0] != "."):
        for file in media(folder, SUFFIXES[modality]):
            between = file.relative_to(folder).parts[:-1]
            source = between[0] if between else ""
            rows.append({"file": file.absolute(), "class": folder.name, "source": source})
    if not rows:
        raise ConfigError(
            f"there is no {modality} file in a folder of a class.",
            where=str(given),
            fix=f"Put files in {given}/CLASS/: {', '.join(SUFFIXES[modality])}.",
        )
    manifest = _written(work / "labelled.csv", ("file", "class", "source"), rows)
    yield DataConfig.model_validate({"manifest": manifest, "modality": modality})


def _paired(
    modality: ModalityName, other: ModalityName | None, given: Path | None
) -> Iterator[DataConfig]:
    from bindstream.training.config import DataConfig

    if given is not None:
        said = {"manifest": given.absolute(), "modality": modality, "with_modality": other}
        yield DataConfig.model_validate(said)


def _both(
    modality: ModalityName,
    other: ModalityName | None,
    files: Sequence[Path],
    offset_s: float,
    work: Path,
) -> Iterator[DataConfig]:
    """Pairs of recordings that were named one by one, written down as a list."""
    from bindstream.teaching.examples import modality_of
    from bindstream.training.config import DataConfig

    if not files:
        if offset_s:
            raise ConfigError("--offset-s is for --with.", fix="Lists have a column offset_s.")
        return
    if len(files) % 2:
        raise ConfigError(
            f"--with takes two files, {len(files)} are given.", fix="Name FILE_A and FILE_B."
        )
    own, others = files[::2], files[1::2]
    rows = [
        {"file": one.absolute(), "with_file": two.absolute(), "offset_s": offset_s}
        for one, two in zip(own, others, strict=True)
    ]
    manifest = _written(work / "with.csv", ("file", "with_file", "offset_s"), rows)
    of = other or modality_of(others)
    said = {"manifest": manifest, "modality": modality, "with_modality": of}
    yield DataConfig.model_validate(said)


def _written(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise ConfigError(f"it cannot be written: {error.strerror}.", where=str(path)) from None
    return path
