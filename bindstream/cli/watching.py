"""bindstream listen, bindstream status: what a running pipeline says."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from bindstream.cli.app import app, errors, out, screen
from bindstream.cli.bus_options import (
    AddressOption,
    ClientOption,
    ConfigOption,
    KeysOption,
    reach,
)
from bindstream.cli.tables import (
    counted,
    history_line,
    latency_table,
    notice_lines,
    recording_line,
    streams_table,
)
from bindstream.keys import OWN_CLIENT

if TYPE_CHECKING:
    from bindstream.records import Alert, Embedding

_LISTEN_HELP = """Print what is published on the bus, until Ctrl-C.

A topic is a prefix: alert. (all alerts), alert.fire (one query's), emb. (all vectors),
emb.audio. (all sounds), emb.vision.door (one stream's). Without any, alerts alone.

Examples:

  bindstream listen

  bindstream listen emb.audio. --count 10

  bindstream listen alert. --json | jq .text
"""
_STATUS_HELP = """Show how a running pipeline is doing.

For each stream: captured = embedded + reused + dropped + pending, always. At the end what is wrong
now, and below what was said last, each with its local time.

Examples:

  bindstream status

  bindstream status --watch

  bindstream status --json | jq .streams
"""


_QUIET_S = 5.0
"""After so long without a word one is told that the listening goes on."""


@app.command(help=_LISTEN_HELP)
def listen(
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Prefixes.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    from bindstream.bus import Subscriber

    to = reach(config, keys, client)
    heard = refused = 0
    at, wanted = address or to.bus, topics or ["alert."]
    quiet_s: float | None = time.monotonic() + _QUIET_S
    with Subscriber(at, wanted, to.keys) as subscriber:
        while count is None or heard < count:
            record = subscriber.receive(0.5)
            if subscriber.refused > refused:
                refused = subscriber.refused
                errors.print(subscriber.refusal, style="red", markup=False, highlight=False)
            if record is None:
                if quiet_s is not None and not heard and time.monotonic() > quiet_s:
                    quiet_s = None
                    line = f"Nothing of {', '.join(wanted)} on {at} so far; still listening."
                    errors.print(line, style="dim", markup=False, highlight=False)
                continue
            heard += 1
            if as_json:
                typer.echo(_as_json(record))
            else:
                out.print(_line(record))


def _as_json(record: Embedding | Alert) -> str:
    import msgspec
    import numpy as np

    def plain(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.ndarray) else value

    return msgspec.json.encode(record, enc_hook=plain).decode()


def _line(record: Embedding | Alert) -> Text:
    from bindstream.records import Alert
    from bindstream.sinks.terminal import lines

    if isinstance(record, Alert):
        return lines(record)
    when = time.strftime("%H:%M:%S", time.localtime(record.start_ns / 1e9))
    length_s = (record.end_ns - record.start_ns) / 1e9
    text = Text(f"{when}  ")
    text.append(f"{record.stream} ({record.modality})", style="cyan")
    text.append(f"  window {record.seq}, {length_s:g} s, {record.coverage:.0%} observed")
    if record.same_as is not None:
        text.append(f", as {record.same_as}")
    text.append(f"  {len(record.vector)}-d, model {record.model}", style="dim")
    return text


@app.command(help=_STATUS_HELP)
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again each second.")] = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    from bindstream.control import ask

    to = reach(config, keys, client)

    def now() -> dict[str, Any]:
        return ask(address or to.control, {"op": "status"}, timeout_s=5, keys=to.keys)

    if as_json:
        while True:
            typer.echo(json.dumps(now(), ensure_ascii=False, indent=None if watch else 2))
            if not watch:
                return
            time.sleep(1)
    if not watch:
        out.print(_picture(now()))
        return
    with Live(_picture(now()), console=screen(), auto_refresh=False) as live:
        while True:
            time.sleep(1)
            live.update(_picture(now()), refresh=True)


def _picture(said: dict[str, Any]) -> RenderableType:
    model = said["model"]
    head = Text(
        f"up {said['uptime_s']:.0f} s, model {model['name']} {model['fingerprint']}, "
        f"bus {said['bus']}, {counted(len(said['queries']), 'query', 'queries')}"
    )
    lines = history_line(said), recording_line(said)
    # What a small screen cuts off is what matters least.
    return Group(head, streams_table(said), *lines, *notice_lines(said), latency_table(said))
