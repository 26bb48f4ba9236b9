"""bindstream devices: what is plugged in, and what to write for it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import app, errors, out

_HELP = """List cameras, microphones and serial ports, each with YAML to paste.

Nothing is opened.

Examples:

  bindstream devices

  bindstream devices --json
"""


@app.command(help=_HELP)
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    from bindstream.devices import list_devices

    listed = list_devices()
    for line in listed.unseen:
        errors.print(line, style="yellow", markup=False, highlight=False)
    if as_json:
        found = [{**asdict(device), "snippet": device.snippet} for device in listed.found]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if not listed.found:
        out.print("No camera, microphone or serial port was found.")
        return
    table = Table("kind", "name", "address", "USB")
    for device in listed.found:
        table.add_row(device.kind, *map(escape, (device.name, device.address, device.usb)))
    out.print(table)
    out.print("\nstreams:", markup=False, highlight=False)
    out.print("".join(d.snippet for d in listed.found), markup=False, highlight=False, end="")
