"""bindstream rule: what queries, readings and silences of a running pipeline amount to."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import app, out, warn
from bindstream.cli.asking import add_change, ask_pipeline
from bindstream.cli.bus_options import (
    AddressOption,
    ClientOption,
    ConfigOption,
    KeysOption,
)
from bindstream.keys import OWN_CLIENT

rule_app = typer.Typer(
    no_args_is_help=True,
    help="Add, list, pause and remove rules: queries together, readings, silent sensors.",
)
app.add_typer(rule_app, name="rule")

_ADD_HELP = """Watch for what several queries amount to, for a reading, or for a silent sensor.

Queries are named by their ids (`bindstream query list`). What is added up is evidence, so that two
weak signs may be enough where neither is alone. What its queries' streams gave so far is its
background at once. With a `state` or a `history` in the configuration it comes back after a
restart.

Examples:

  bindstream rule add break-in --all glass-breaking --all person --none dog --budget 1/week

  bindstream rule add fall-then-still --sequence falling --sequence lying-still --within 30

  bindstream rule add oven --reading max_c --above 60 --for 10 --stream stove

  bindstream rule add dead-microphone --silent 30 --stream hall
"""
_LIST_HELP = """Show the rules, and how much evidence starts an alert of those over queries.

Examples:

  bindstream rule list

  bindstream rule list --json
"""
_REMOVE_HELP = """Stop watching for a rule; its event, if one is going on, ends.

Example:

  bindstream rule remove break-in
"""
_PAUSE_HELP = """Say nothing of a rule until it is resumed; its event, if one is going on, ends.

With a `state` or a `history` in the configuration it stays paused after a restart, too.

Example:

  bindstream rule pause break-in
"""
_RESUME_HELP = """Watch for a paused rule again, with what was heard meanwhile as its background.

Example:

  bindstream rule resume break-in
"""
_Ids = list[str] | None


@rule_app.command("add", help=_ADD_HELP)
def add(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="Its name; no query's.")],
    all_of: Annotated[_Ids, typer.Option("--all", help="Each of these; repeat it.")] = None,
    any_of: Annotated[_Ids, typer.Option("--any", help="One of these; repeat it.")] = None,
    sequence: Annotated[
        _Ids, typer.Option("--sequence", help="One after the other; repeat it.")
    ] = None,
    none_of: Annotated[
        _Ids, typer.Option("--none", help="What speaks against it; repeatable.")
    ] = None,
    within: Annotated[
        float | None, typer.Option(help="How far apart the signs may lie, seconds.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="RATE", help="False alarms allowed: 0.2, 3/day, 1/week.")
    ] = None,
    reading: Annotated[str | None, typer.Option(help="A reading of windows, as max_c.")] = None,
    above: Annotated[float | None, typer.Option(help="It is an event from here up.")] = None,
    below: Annotated[float | None, typer.Option(help="It is an event from here down.")] = None,
    until: Annotated[float | None, typer.Option(help="And goes on until it is back here.")] = None,
    for_s: Annotated[float | None, typer.Option("--for", help="At least so long, seconds.")] = None,
    silent: Annotated[
        float | None, typer.Option(help="No window comes for so long, seconds.")
    ] = None,
    streams: Annotated[
        _Ids, typer.Option("--stream", help="This stream alone (readings, silence); repeatable.")
    ] = None,
    min_length: Annotated[
        float | None, typer.Option(help="Shorter events say nothing, seconds.")
    ] = None,
    max_length: Annotated[
        float | None, typer.Option(help="Longer events end after so long, seconds.")
    ] = None,
    cooldown: Annotated[float | None, typer.Option(help="Silence after an alert, seconds.")] = None,
    text: Annotated[str | None, typer.Option(help="What alerts show; the ID if left out.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a rule of the same ID.")
    ] = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    given = {
        "id": rule_id,
        "text": text,
        "all": all_of or None,
        "any": any_of or None,
        "sequence": sequence or None,
        "none": none_of or None,
        "within_s": within,
        "budget": budget,
        "reading": reading,
        "above": above,
        "below": below,
        "until": until,
        "for_s": for_s,
        "silent_s": silent,
        "streams": streams or None,
        "min_length_s": min_length,
        "max_length_s": max_length,
        "cooldown_s": cooldown,
    }
    said = {key: value for key, value in given.items() if value is not None}
    request = {"op": "rule.add", "rule": said, "replace": replace}
    ask_pipeline(request, config, address, keys, client)
    out.print(f"Watching for {rule_id}: {made_of(said)}.", markup=False, highlight=False)


@rule_app.command("list", help=_LIST_HELP)
def list_rules(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    status = ask_pipeline({"op": "status"}, config, address, keys, client)
    if as_json:
        typer.echo(json.dumps(status["rules"], indent=2, ensure_ascii=False))
        return
    if not status["rules"]:
        out.print("There are no rules.")
        return
    armed = {line["query"]: line for line in status["match"].get("rules", ())}
    table = Table(box=SIMPLE_HEAD)
    for heading in ("id", "made of", "streams", "alert at", "false alarms"):
        table.add_column(heading, overflow="fold")  # an id cut short could not be removed
    for rule in status["rules"]:
        level = armed.get(rule["id"])
        table.add_row(
            rule["id"],
            escape(made_of(rule)) + (" (paused)" if rule.get("paused") else ""),
            ", ".join(rule.get("streams") or ["all"]),
            f"evidence {level['on']:.1f}" if level else "",
            escape(level["promise"]) if level else "",
        )
    out.print(table)
    for doubt in status["match"].get("doubts", ()):
        warn(doubt)


add_change(rule_app, "rule", "remove", "No longer watching for {}.", _REMOVE_HELP)
add_change(rule_app, "rule", "pause", "{} is paused.", _PAUSE_HELP)
add_change(rule_app, "rule", "resume", "Watching for {} again.", _RESUME_HELP)


def made_of(rule: dict[str, Any]) -> str:
    """A rule as plain data, in words."""
    if "silent_s" in rule:
        return f"silent for {rule['silent_s']:g} s"
    lasting = f" for {rule['for_s']:g} s" if rule.get("for_s") else ""
    if "reading" in rule:
        side = "above" if rule.get("above") is not None else "below"
        return f"{rule['reading']} {side} {rule[side]:g}{lasting}"
    joined = {"all": " and ", "any": " or ", "sequence": ", then "}
    said = next((word.join(rule[key]) for key, word in joined.items() if rule.get(key)), "")
    without = f" without {' or '.join(rule['none'])}" if rule.get("none") else ""
    within = f" within {rule['within_s']:g} s" if rule.get("within_s") else ""
    return f"{said}{without}{within}"
