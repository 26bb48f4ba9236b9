"""Asking a running pipeline from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bindstream.cli.app import errors
from bindstream.cli.bus_options import reach

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
            errors.print(f"! {warning}", style="yellow", markup=False, highlight=False)
    return answer
