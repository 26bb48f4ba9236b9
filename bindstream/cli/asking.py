"""Asking a running pipeline from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bindstream.cli.app import errors, out, warn
from bindstream.cli.bus_options import (
    AddressOption,
    ClientOption,
    ConfigOption,
    KeysOption,
    reach,
)
from bindstream.keys import OWN_CLIENT

ANSWER_S, WORK_S = 10, 310
"""How long a pipeline may take to answer at all, and to read its text tower again."""


def ask_pipeline(
    request: dict[str, Any],
    config: Path | None,
    address: str | None,
    keys: Path | None,
    client: str,
) -> dict[str, Any]:
    """Its answer; what that warns of is printed. Blocks, with a word of why.

    Raises:
        BusError: nobody answers, or the answer is an error.
    """
    from bindstream.control import ask

    to = reach(config, keys, client)
    at = address or to.control
    ask(at, {"op": "status"}, timeout_s=ANSWER_S, keys=to.keys)  # is anybody there?
    with errors.status("Waiting for the pipeline; words may need their tower read first …"):
        answer = ask(at, request, timeout_s=WORK_S, keys=to.keys)
    if request["op"] != "status":
        for warning in answer.get("warnings", []):
            warn(warning)
    return answer


def add_change(to: typer.Typer, kind: str, name: str, told: str, help_text: str) -> None:
    """Adds a command that asks for a change of one query or rule, by its id.

    Args:
        kind: query or rule.
        name: the command's, and of what is asked for.
        told: what is printed once it is done, with {} for the id.
    """

    @to.command(name, help=help_text)
    def change(
        of: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
        config: ConfigOption = None,
        address: AddressOption = None,
        keys: KeysOption = None,
        client: ClientOption = OWN_CLIENT,
    ) -> None:
        ask_pipeline({"op": f"{kind}.{name}", "id": of}, config, address, keys, client)
        out.print(told.replace("{}", of), markup=False, highlight=False)
