"""bindstream query: what a running pipeline watches for."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import app, errors, out
from bindstream.cli.asking import add_change, ask_pipeline
from bindstream.cli.bus_options import (
    AddressOption,
    ClientOption,
    ConfigOption,
    KeysOption,
)
from bindstream.cli.sum_options import LikeOption, MinusOption, PlusOption, UnusualOption, sums_of
from bindstream.errors import ConfigError
from bindstream.keys import OWN_CLIENT
from bindstream.terms.term import Term, terms

if TYPE_CHECKING:
    from bindstream.models.encoder import Model


query_app = typer.Typer(
    no_args_is_help=True, help="Add, list and remove what a running pipeline watches for."
)
app.add_typer(query_app, name="query")

_ADD_HELP = """Watch for something else from now on, without a restart.

Several TEXTs are phrasings of the same thing: put words that belong together in quotes. With
--taught it is what `bindstream teach` made, and TEXT is what its alerts show.

--like, --plus and --minus add files (a sound, a picture, a recording, a vector as .npy), stored
windows and, but for --like, words to it or take them off, each with a weight before it if it is not
1; half is enough to take off. It then watches what its files are of, unless --modality says
otherwise. Files are embedded here, by the model that the pipeline runs.

Examples:

  bindstream query add "glass breaking"

  bindstream query add "a dog barks" "barking" --not "a door slams" --modality audio --budget 1/day

  bindstream query add --taught queries/washer-beep.json

  bindstream query add --unusual --stream kitchen --budget 1/day

  bindstream query add "a dog barks" --plus rex.wav --minus "0.5*a cat meows"

  bindstream query add --like kitchen/1795000000000000000 --id the-kettle --budget 1/day
"""
_LIST_HELP = """Show what is watched for.

Examples:

  bindstream query list

  bindstream query list --json
"""
_REMOVE_HELP = """Stop watching for a query; its event, if one is going on, ends.

Example:

  bindstream query remove glass-breaking
"""
_PAUSE_HELP = """Say nothing of a query until it is resumed; its event, if one is going on, ends.

With a `state` or a `history` in the configuration it stays paused after a restart, too.

Example:

  bindstream query pause glass-breaking
"""
_RESUME_HELP = """Watch for a paused query again, with what was heard meanwhile as its background.

Example:

  bindstream query resume glass-breaking
"""


@query_app.command("add", help=_ADD_HELP)
def add(
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT...", help="The words.")] = None,
    taught: Annotated[
        Path | None, typer.Option("--taught", metavar="FILE", help="Made by `bindstream teach`.")
    ] = None,
    like: LikeOption = None,
    plus: PlusOption = None,
    minus: MinusOption = None,
    unusual: UnusualOption = False,
    query_id: Annotated[
        str | None, typer.Option("--id", help="Its name; made from the words if left out.")
    ] = None,
    negatives: Annotated[
        list[str] | None, typer.Option("--not", help="What it is not; may be repeated.")
    ] = None,
    streams: Annotated[
        list[str] | None, typer.Option("--stream", help="This stream alone; may be repeated.")
    ] = None,
    modalities: Annotated[
        list[str] | None, typer.Option("--modality", help="This modality alone; repeatable.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="False alarms allowed: 0.2 (an hour), 3/day, 1/week."),
    ] = None,
    on: Annotated[
        float | None, typer.Option(help="An alert starts at this z until enough was heard.")
    ] = None,
    off: Annotated[float | None, typer.Option(help="And ends below this one.")] = None,
    share: Annotated[
        float | None,
        typer.Option(help="And needs the query to be so likely, 0 to 1, until then."),
    ] = None,
    min_length: Annotated[
        float | None, typer.Option(help="Shorter events say nothing, seconds.")
    ] = None,
    cooldown: Annotated[float | None, typer.Option(help="Silence after an alert, seconds.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a query of the same id.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="The pipeline's model, where it lies on this machine.")
    ] = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    sums = sums_of(like, plus, minus)
    if not (text or taught or like or plus or unusual):
        fix = "Give words, --like FILE, --taught FILE, or --unusual."
        raise ConfigError("there is nothing to watch for.", fix=fix)
    given = {
        "id": query_id,
        "text": text or None,
        **{name: texts or None for name, texts in sums.items()},
        "taught": None if taught is None else str(taught.absolute()),
        "unusual": unusual or None,
        "negatives": negatives,
        "streams": streams,
        "modalities": modalities,
        "budget": budget,
        "on": on,
        "off": off,
        "share": share,
        "min_length_s": min_length,
        "cooldown_s": cooldown,
    }
    said = {key: value for key, value in given.items() if value is not None}
    request = {"op": "query.add", "query": said, "replace": replace}
    if taught is not None:
        request["taught"] = _content(taught)
    files = [each for each in terms(**sums) if each.kind == "file"]
    if files:
        status = ask_pipeline({"op": "status"}, config, address, keys, client)
        request["examples"] = _examples(files, status["model"], model)
    answer = ask_pipeline(request, config, address, keys, client)
    words = " | ".join(answer["text"])
    out.print(f"Watching for {answer['id']}: {words}.", markup=False, highlight=False)


@query_app.command("list", help=_LIST_HELP)
def list_queries(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    queries = ask_pipeline({"op": "query.list"}, config, address, keys, client)["queries"]
    if as_json:
        typer.echo(json.dumps(queries, indent=2, ensure_ascii=False))
        return
    out.print(queries_table(queries))
    said = ask_pipeline({"op": "status"}, config, address, keys, client)["match"]
    if said.get("armed"):
        out.print(levels_table(said["armed"]))


def queries_table(queries: Sequence[dict[str, Any]]) -> Table:
    """A line a query; without a column of what it is not where none has one. Lines may be longer
    than the terminal, since an id that is broken could not be given to another command."""
    from bindstream.budget.promise import per_hour

    shown = ["id", "text", "not", "streams", "modalities", "budget"]
    if not any(query["negatives"] for query in queries):
        shown.remove("not")
    table = Table(*shown, box=SIMPLE_HEAD, padding=0)
    for query in queries:
        cells = {
            "id": query["id"],
            "text": escape(_asked(query) + _how(query)),
            "not": escape(" | ".join(query["negatives"])),
            "streams": "\n".join(query["streams"] or ["all"]),
            "modalities": ", ".join(query["modalities"] or ["all"]),
            "budget": per_hour(query["budget"]),
        }
        table.add_row(*(cells[heading] for heading in shown))
    return _whole(table, ("id", "streams"))


def _whole(table: Table, names: Collection[str]) -> Table:
    """The same with these columns as wide as what is in them; others wrap between words."""
    for column in table.columns:
        if column.header in names:
            lines = [line for cell in column.cells for line in str(cell).splitlines()]
            column.no_wrap, column.min_width = True, max(map(len, lines), default=0)
        else:
            column.overflow, column.min_width = "fold", 8
    return table


def _how(query: dict[str, Any]) -> str:
    """How a query is watched for, if not like any other."""
    for_rules = " (for rules alone)" if not query.get("alert", True) else ""
    return for_rules + (" (paused)" if query.get("paused") else "")


def levels_table(armed: list[dict[str, Any]]) -> Table:
    """A line a query and stream: the level that starts an alert now, and what it promises."""
    table = Table("id", "stream", "alert at z", "false alarms", box=SIMPLE_HEAD, padding=0)
    for line in armed:
        promise = line["promise"] or "not enough heard yet"
        table.add_row(line["query"], line["stream"], f"{line['on']:.1f}", escape(promise))
    return _whole(table, ("id", "stream", "alert at z"))


add_change(query_app, "query", "remove", "No longer watching for {}.", _REMOVE_HELP)
add_change(query_app, "query", "pause", "{} is paused.", _PAUSE_HELP)
add_change(query_app, "query", "resume", "Watching for {} again.", _RESUME_HELP)


def _content(taught: Path) -> dict[str, Any]:
    """What a taught query's file holds, less the files it is of: it may lie on another machine."""
    from bindstream.teaching.taught import read_taught

    return read_taught(taught).model_dump(mode="json", exclude={"examples", "negatives"})


def _examples(files: list[Term], runs: dict[str, Any], model: str | None) -> dict[str, Any]:
    """The vectors of files, which may lie on another machine than the pipeline.

    Raises:
        ModelError: there is no such model on this machine as runs there.
        BindstreamError: a file cannot be used.
    """
    from bindstream.errors import ModelError
    from bindstream.models import load_model
    from bindstream.terms.examples import examples_of, sent, towers

    loaded: Model | None = None
    if needed := towers(files):
        with errors.status("Reading the model …"):
            loaded = load_model(model or runs["name"], modalities=needed)
        if loaded.fingerprint != runs["fingerprint"]:
            raise ModelError(
                f"{loaded.name} here is {loaded.fingerprint}, the pipeline runs "
                f"{runs['fingerprint']}: their vectors are not comparable.",
                fix="Give the same one (--model DIR), or do this where the pipeline runs.",
            )
    return sent(examples_of(files, loaded, None))


def _asked(query: dict[str, Any]) -> str:
    """What a query watches for, in a line."""
    said = " | ".join(query["text"])
    if query["taught"]:
        return f"{said} (taught)"
    added = [_short(each) for each in (*query["like"], *query["plus"])]
    whole = " + ".join([*([said] if said else []), *added])
    return "".join([whole, *(f" - {_short(each)}" for each in query["minus"])])


def _short(text: str) -> str:
    """A summand, of a file its name alone."""
    from bindstream.terms.term import term

    found = term(text)
    name = Path(found.what).name if found.kind == "file" else found.what
    return name if found.weight == 1 else f"{found.weight:g}*{name}"
