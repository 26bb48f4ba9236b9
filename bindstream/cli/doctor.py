"""bindstream doctor: does this machine have what it takes?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bindstream.cli.app import FAILED, app, out

if TYPE_CHECKING:
    from bindstream.doctor import Finding

_HELP = """Try out everything a run needs, and say what is missing.

Python, packages, a real product on every device torch has, the model's golden vectors, Ray, shared
memory, free ports, and what is plugged in. With a configuration, what that one needs: its
towers, ports, and every sensor, each opened for a moment.
Exit code 1 if something needed fails.

Examples:

  bindstream doctor

  bindstream doctor configs/robot.yaml --json
"""
_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@app.command(help=_HELP)
def doctor(
    config: Annotated[Path | None, typer.Argument(help="A configuration to examine for.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    from bindstream.config import load_config
    from bindstream.doctor import examine

    findings = []
    for finding in examine(load_config(config) if config else None, _try_ray):
        findings.append(finding)
        if not as_json:
            out.print(_line(finding))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(FAILED)


def _line(finding: Finding) -> Text:
    mark, style = _MARKS[finding.state]
    text = Text.assemble((mark, style), " ", (finding.name, "bold"), f": {finding.found}")
    return text.append(f"\n  {finding.fix}", style=style) if finding.fix else text


def _try_ray() -> str:
    """Start a private Ray, run one task in it and end it."""
    import time

    from bindstream.config import RayConfig
    from nodes.cluster import start_ray, stop_ray

    begun_s = time.monotonic()
    start_ray(RayConfig())
    try:
        import ray

        answer = ray.get(ray.remote(lambda: 6 * 7).remote(), timeout=60)
        took_s = time.monotonic() - begun_s
        return f"{ray.__version__} starts and answers {answer} after {took_s:.1f} s"
    finally:
        stop_ray()
