"""bindstream check, bindstream schema: configurations without running them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bindstream.cli.app import USAGE, app, errors, out

_CHECK_HELP = """Say everything that is wrong with a configuration, with line and way out.

No sensor is opened, and nothing is started; recordings that streams play are looked into. Warnings
alone count as right.

Examples:

  bindstream check configs/laptop.yaml

  bindstream check --json configs/*.yaml
"""
_SCHEMA_HELP = """Print the JSON Schema of configurations, for editors that complete and check.

Example:

  bindstream schema > bindstream.schema.json

Then begin a configuration with:

  # yaml-language-server: $schema=bindstream.schema.json
"""


@app.command(help=_CHECK_HELP)
def check(
    files: Annotated[list[Path], typer.Argument(metavar="CONFIG...", help="YAML files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    from bindstream.config import check_config

    with errors.status("Checking …"):  # a recording that was never closed is read
        found = {file: check_config(file) for file in files}
    problems = [problem for each in found.values() for problem in each]
    if as_json:
        typer.echo(json.dumps([{**asdict(p), "value": p.shown()} for p in problems], indent=2))
    else:
        for file, each in found.items():
            for problem in each:
                style = "red" if problem.severity == "error" else "yellow"
                out.print(str(problem), style=style, markup=False, highlight=False)
            if not each:
                out.print(f"{file}: all is well", style="green", markup=False, highlight=False)
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(USAGE)


@app.command(help=_SCHEMA_HELP)
def schema() -> None:
    from bindstream.config import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
