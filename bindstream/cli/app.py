"""What all commands share: the application, its exit codes, and where they print."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

OK, FAILED, USAGE, PARTIAL = 0, 1, 2, 3
"""Exit codes; `bindstream --help` states them."""

out = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)


def screen() -> Console:
    """For what lives, or is to wrap between words: the lines of `out` are never wrapped, and what
    lives there is cut off where the terminal ends."""
    return Console()


def warn(what: str) -> None:
    """A line of what is not as it should be, while the command goes on."""
    errors.print(f"! {what}", style="yellow", markup=False, highlight=False)


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # they may hold passwords
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all is well, 1 it failed, 2 wrong usage or configuration, "
    "3 some of it failed.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"bindstream {version('bindstream')}")
        raise typer.Exit


@app.callback()
def bindstream(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Say in words what to watch for; every sensor listens.

    Begin with [bold]bindstream demo[/], then [bold]bindstream devices[/] for what is plugged in,
    [bold]bindstream check[/] for your configuration and [bold]bindstream run[/] for the real thing.
    """
