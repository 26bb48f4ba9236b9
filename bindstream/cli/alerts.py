"""bindstream alerts, confirm, reject: what was announced, and what is to be said of it."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bindstream.cli.app import app, out, warn
from bindstream.cli.bus_options import (
    AddressOption,
    ClientOption,
    ConfigOption,
    KeysOption,
    reach,
)
from bindstream.cli.explain_report import plain
from bindstream.errors import BusError
from bindstream.keys import OWN_CLIENT

_ANSWER_S = 15
PLACES = (Path("state.db"), Path("history", "state.db"))
"""Where a run keeps its state that was not told where."""

_ALERTS_HELP = """List the latest alerts, and what was said of them.

They are kept where the configuration has a `state` or a `history` section. While a pipeline runs it
answers; else the file is read: that of --state, of the configuration, or ./state.db, or
./history/state.db.

Examples:

  bindstream alerts

  bindstream alerts --since 1d --query glass-breaking

  bindstream alerts -c home.yaml --json | jq '.[].id'
"""
_CONFIRM_HELP = """Say that an alert was right.

What happened then is left out where the level of its query on its stream, or of its rule, is
drawn: it is no background. ALERT is an id as `bindstream alerts` shows it, the beginning of one, or
`last`. To change your mind use `bindstream reject`.

Examples:

  bindstream confirm last

  bindstream confirm glass-breaking/kitchen/17950 --note "the blue vase"
"""
_REJECT_HELP = """Say that an alert was wrong.

What happened then is background, and what is like it has to stand out by more from now on: the
same again says nothing. What is unlike it is found as before. An alert of a rule over queries
counts as a false alarm where its level is drawn, no more. ALERT is an id as `bindstream alerts`
shows it, the beginning of one, or `last`. To change your mind use `bindstream confirm`.

Examples:

  bindstream reject last --note "it was the TV"

  bindstream reject glass-breaking/kitchen/17950
"""

StateOption = Annotated[
    Path | None, typer.Option("--state", metavar="FILE", help="The file; nobody else is asked.")
]
AlertArgument = Annotated[str, typer.Argument(metavar="ALERT", help="An id, or last.")]
NoteOption = Annotated[str, typer.Option("--note", help="Why.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(help=_ALERTS_HELP)
def alerts(
    since: Annotated[
        str | None, typer.Option("--since", help="90s, 15m, 1h, 2d ago, or a date and time.")
    ] = None,
    query: Annotated[str | None, typer.Option("--query", help="Of this query or rule.")] = None,
    stream: Annotated[str | None, typer.Option("--stream", help="On this stream.")] = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=10000, help="So many.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    from bindstream.cli.search import when

    since_ns = None if since is None else when(since, time.time_ns(), "--since")
    asked: dict[str, Any] = {"since_ns": since_ns, "query": query, "stream": stream, "most": most}
    answer = _ask({"op": "alert.list", **asked}, state, config, address, keys, client)
    if answer is not None:
        found, note = answer["alerts"], answer.get("note", "")
    else:
        from bindstream.state import State
        from bindstream.state.known import nothing_of

        kept = State(_file(state, config))
        found = [each.plain() for each in kept.alerts(**asked)]
        note = "" if found else nothing_of(kept, query, stream)
        kept.close()
    if as_json:
        typer.echo(json.dumps(plain(found), indent=2, ensure_ascii=False))
    elif found:
        out.print(_table(found))
    elif not note:
        out.print("There are no alerts.")
    if note:
        warn(note)


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    # Query and stream are said by the id, which one has to be able to copy whole.
    longest = max((len(alert["id"]) for alert in found), default=0)
    table.add_column("id", min_width=longest, overflow="fold")
    for heading in ("when", "length", "peak", "said"):
        table.add_column(heading, overflow="fold")
    for alert in found:
        start = datetime.fromtimestamp(alert["start_ns"] / 1e9)
        length = f"{(alert['end_ns'] - alert['start_ns']) / 1e9:.0f} s"
        said = alert["verdict"] + (f": {alert['note']}" if alert["note"] else "")
        row = (
            alert["id"],
            f"{start:%m-%d %H:%M:%S}",
            length + (" so far" if alert["state"] == "started" else ""),
            f"{alert['peak_z']:.1f}",
            said,
        )
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    return table


@app.command(help=_CONFIRM_HELP)
def confirm(
    alert: AlertArgument,
    note: NoteOption = "",
    as_json: JsonOption = False,
    state: StateOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    request = {"op": "alert.judge", "id": alert, "verdict": "confirmed", "note": note}
    _judge(request, as_json, state, config, address, keys, client)


@app.command(help=_REJECT_HELP)
def reject(
    alert: AlertArgument,
    note: NoteOption = "",
    as_json: JsonOption = False,
    state: StateOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    request = {"op": "alert.judge", "id": alert, "verdict": "rejected", "note": note}
    _judge(request, as_json, state, config, address, keys, client)


def _judge(request: dict[str, Any], as_json: bool, state: Path | None, *to: Any) -> None:
    answer = _ask(request, state, *to)
    if answer is not None:
        judged, remarks = answer["alert"], answer.get("warnings", [])
    else:
        from bindstream.state import State

        # Alone: a run that goes on has to be told, and only its control can do that.
        kept = State(_file(state, to[0]), alone=True)
        try:
            said = request["id"], request["verdict"], request["note"], time.time_ns()
            found = kept.judge(*said)
            judged, remarks = found.plain(), [found.remark] if found.remark else []
        finally:
            kept.close()
    for remark in remarks:
        warn(f"{remark}.")
    if as_json:
        typer.echo(json.dumps(plain(judged), indent=2, ensure_ascii=False))
        return
    when = datetime.fromtimestamp(judged["start_ns"] / 1e9)
    line = f"{judged['verdict'].capitalize()}: {judged['id']} of {when:%Y-%m-%d %H:%M:%S}."
    out.print(line, markup=False, highlight=False)


def latest(config: Path | None, address: str | None, keys: Path | None, client: str) -> str:
    """The id of the alert that `last` names.

    Raises:
        BusError: the pipeline that was named does not answer, or keeps no alerts.
        StateError: no pipeline answers and no state is there, or it holds no alert.
    """
    from bindstream.errors import StateError
    from bindstream.state import State

    answer = _ask({"op": "alert.list", "most": 1}, None, config, address, keys, client)
    if answer is not None:
        ids = [each["id"] for each in answer["alerts"]]
        if not ids:
            raise StateError("there is no alert yet.")
        return str(ids[0])
    kept = State(_file(None, config))
    try:
        return kept.find("last").alert.id
    finally:
        kept.close()


def _ask(
    request: dict[str, Any], state: Path | None, config: Any, address: Any, keys: Any, client: str
) -> Any:
    """The answer of a running pipeline; None if none runs, or a file was named.

    Raises:
        BusError: its answer is an error, or none runs at the address that was given.
    """
    from bindstream.control import ask

    if state is not None:
        return None
    to = reach(config, keys, client)
    at = address or to.control
    if not at.endswith(":0"):  # a port that nobody can know
        try:
            ask(at, {"op": "query.list"}, timeout_s=_ANSWER_S, keys=to.keys)
        except BusError:
            if address is not None:
                raise
        else:
            return ask(at, request, timeout_s=_ANSWER_S, keys=to.keys)
    return None


def _file(state: Path | None, config: Path | None) -> Path:
    """The state's file where no pipeline answers.

    Raises:
        StateError: there is none.
    """
    from bindstream.config import load_config
    from bindstream.errors import StateError

    if state is not None:
        places: list[Path] = [state]
    elif config is not None:
        where = load_config(config, played=False).state_path
        places = [] if where is None else [where]
    else:
        places = list(PLACES)
    for place in places:
        if place.is_file():
            return place
    looked = " or ".join(map(str, places)) or str(config)
    raise StateError(
        f"no pipeline answers, and no alerts are kept: looked for {looked}."
        if places
        else "no pipeline answers, and this configuration keeps no alerts.",
        where="alerts",
        fix="Name the configuration (-c) or the file (--state); `state: {}` in a configuration "
        "keeps them.",
    )
