"""bindstream teach: a query made of a few recordings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import app, errors, out, warn
from bindstream.cli.listing import listing
from bindstream.cli.model_options import DeviceOption, PrecisionOption, ThreadsOption, warn_of
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.config import ModelConfig
    from bindstream.models.encoder import Model
    from bindstream.teaching.fitting import Fit
    from bindstream.teaching.lesson import Learnt, Lesson
    from bindstream.teaching.taught import Taught, TaughtFile

FOLDER = "queries"

_HELP = """Make a query of a few recordings of what to watch for.

FILES are recordings of it: sounds, pictures, videos, heat or depth frames, motion logs; all of one
kind. One works, four find more. With --not they are told apart from what they are easily mistaken
for; with --text words for the same thing count too.

The query is written to queries/NAME.json (beside the --config, if one is given). It says how well
each file would be found by the others: a share below 30 % raises no alert. Watch for it with

  queries: [{taught: queries/NAME.json}]

in a configuration, or with `bindstream query add --taught` while a pipeline runs. It belongs to
the model that made it; --again makes it anew of the same files by the model there is now.

Examples:

  bindstream teach washer-beep good1.wav good2.wav --not other.wav kitchen.wav

  bindstream teach my-cat photos/cat*.jpg --text "a cat" --config home.yaml

  bindstream teach --again queries/washer-beep.json --model /models/huge
"""


@app.command(help=_HELP, cls=listing("--not"))
def teach(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The query's, such as washer-beep.")
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILES...", help="Recordings of it.")
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option("--not", metavar="FILES...", help="Recordings of what it is not."),
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="Words for it; may be repeated.")
    ] = None,
    text_weight: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.99, help="How much the words count; 0.5 if left out."),
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option("--modality", "-m", help="What the files are of, if their names do not say."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Take the model from it, write beside it.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Write there instead.")
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option("--again", metavar="FILE", help="Teach what this file says once more."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the query of this name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    model: Annotated[str | None, typer.Option(help="A model's name or directory.")] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    from bindstream.models import load_model
    from bindstream.teaching.lesson import learn
    from bindstream.teaching.taught import save_taught

    if again is not None:
        if name or files or negatives or texts or modality or to or text_weight:
            raise ConfigError("--again takes all but the model from its file.", fix="Leave it out.")
        before, lesson = _known(again)
        path = again
    else:
        before = None
        lesson = _lesson(name, files, negatives, texts, text_weight, modality)
        path = _place(lesson.name, config, to, force)
    stated = _model_of(config)
    loaded = load_model(
        model or stated.name,
        modalities=(lesson.modality, "text") if lesson.text else (lesson.modality,),
        device=device,
        threads=threads,
        precision=precision,
    )
    warn_of(loaded, lesson.text)
    with _bar(len(lesson.examples) + len(lesson.negatives)) as report:
        learnt = learn(loaded, lesson, path.parent, report)
    save_taught(learnt.taught, path)
    said = [*_changes(before, learnt.taught), *learnt.doubts]
    for doubt in said:
        warn(doubt)
    if as_json:
        typer.echo(json.dumps(_record(path, learnt, said), indent=2, ensure_ascii=False))
    else:
        _show(path, learnt, loaded, config)


def _lesson(
    name: str | None,
    files: list[Path] | None,
    negatives: list[Path] | None,
    texts: list[str] | None,
    text_weight: float | None,
    modality: str | None,
) -> Lesson:
    import re

    from bindstream.cli.embed import modality_named
    from bindstream.config.written import LONGEST_NAME, NAME, id_from
    from bindstream.teaching.examples import modality_of
    from bindstream.teaching.fitting import TEXT_WEIGHT
    from bindstream.teaching.lesson import Lesson

    if not name or not files:
        raise ConfigError(
            "there is nothing to learn from.", fix="Give a NAME and FILES, or --again FILE."
        )
    if not re.match(NAME, name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"{name!r} cannot be a query's name (a-z, 0-9, _ and -).",
            fix=f"Such as {id_from(name)}; the files come after it.",
        )
    if text_weight is not None and not texts:
        raise ConfigError("--text-weight is of words.", fix="Give --text too.")
    others = negatives or []
    of = modality_named(modality) if modality else modality_of([*files, *others])
    return Lesson(name, of, files, others, texts or [], text_weight or TEXT_WEIGHT)


def _known(path: Path) -> tuple[Taught, Lesson]:
    from bindstream.teaching.lesson import again
    from bindstream.teaching.taught import read_taught

    taught = read_taught(path)
    return taught, again(taught, path.parent)


def _place(name: str, config: Path | None, to: Path | None, force: bool) -> Path:
    """Where the query is to be written."""
    folder = to or (config.parent if config else Path()) / FOLDER
    path = folder / f"{name}.json"
    if path.exists() and not force:
        raise ConfigError(
            "there is a query of this name already.",
            where=str(path),
            fix="Choose another name, or replace it: --force.",
        )
    return path


def _model_of(config: Path | None) -> ModelConfig:
    """The model a configuration states. The rest of it is not looked at: it may name the very
    query that is to be taught."""
    from pydantic import ValidationError

    from bindstream.config import ModelConfig
    from bindstream.config.paths import resolved
    from bindstream.config.yaml_text import YamlError, parse

    if config is None:
        return ModelConfig()
    try:
        data, _ = parse(config.read_text(encoding="utf-8"))
        section = data.get("model", {}) if isinstance(data, dict) else {}
        return resolved(ModelConfig.model_validate(section), config.parent)
    except (OSError, ValueError, YamlError, ValidationError) as error:
        raise ConfigError(
            f"its model cannot be read: {error}.",
            where=str(config),
            fix=f"Run: bindstream check {config}",
        ) from None


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Path], None]]:
    """A bar on standard error, where a person watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    with bar:
        task = bar.add_task("", total=total)
        yield lambda file: bar.update(task, advance=1, description=escape(file.name[-24:]))


def _changes(before: Taught | None, taught: Taught) -> list[str]:
    """Which files are no longer what the query was made of before."""
    if before is None:
        return []
    known = {each.file: each.sha256 for each in (*before.examples, *before.negatives)}
    return [
        f"{each.file} has changed since the query was taught first."
        for each in (*taught.examples, *taught.negatives)
        if known.get(each.file, each.sha256) != each.sha256
    ]


def _rows(learnt: Learnt) -> Iterator[tuple[TaughtFile, float, bool]]:
    """Each file, its share by a query made without it, and whether it is an example."""
    fit: Fit = learnt.fit
    for files, scores, example in (
        (learnt.taught.examples, fit.positive_scores, True),
        (learnt.taught.negatives, fit.negative_scores, False),
    ):
        for file, share in zip(files, fit.shares(scores), strict=True):
            yield file, float(share), example


def _show(path: Path, learnt: Learnt, model: Model, config: Path | None) -> None:
    from bindstream.teaching.doubts import FOUND_SHARE

    table = Table("file", "windows", "score", "share", "", box=SIMPLE_HEAD)
    for file, share, example in _rows(learnt):
        name = escape(Path(file.file).name)
        windows = f"{file.windows}" + (f" (+{file.quiet} quiet)" if file.quiet else "")
        verdict = _verdict(learnt.found(share), example)
        table.add_row(name, windows, f"{file.score:.2f}", f"{share:.0%}", verdict)
    out.print(table)
    taught = learnt.taught
    how = "the examples' mean (a prototype)"
    if taught.pull is not None:
        how = f"a ridge, pulled to the examples' mean by {taught.pull:g}"
    if taught.text:
        how += f", and words by {taught.text_weight:.0%}: {', '.join(taught.text)}"
    scores = (
        "Scores are by a query made without the file; "
        f"below {learnt.least_score:.2f} (a share of {FOUND_SHARE:.0%}) there is no alert."
    )
    if not taught.negatives:
        scores += " What else would be taken for it only --not FILES can tell."
    lines = (
        scores,
        f"{taught.name} is in {path}: {taught.modality} by {model.name}, {how}.",
        f"In a configuration: queries: [{{taught: {json.dumps(_beside(path, config))}}}]",
        f"In a pipeline that runs: bindstream query add --taught {path}",
    )
    for line in lines:
        out.print(line, markup=False, highlight=False)


def _beside(path: Path, config: Path | None) -> str:
    """The query's file as a configuration names it."""
    if config is not None and path.is_relative_to(config.parent):
        return str(path.relative_to(config.parent))
    return str(path.absolute())


def _verdict(found: bool, example: bool) -> str:
    if example:
        return "[green]found[/]" if found else "[red]missed[/]"
    return "[red]taken for it[/]" if found else "[green]told apart[/]"


def _record(path: Path, learnt: Learnt, doubts: list[str]) -> dict[str, Any]:
    taught = learnt.taught.model_dump(mode="json", exclude={"vector", "examples", "negatives"})
    files = [
        {
            **file.model_dump(mode="json"),
            "example": example,
            "share": share,
            "found": learnt.found(share),
        }
        for file, share, example in _rows(learnt)
    ]
    return {"path": str(path), **taught, "files": files, "warnings": doubts}
