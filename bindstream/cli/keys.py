"""bindstream keys: CURVE keys for a bus that other machines may reach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bindstream.cli.app import app, out

_HELP = """Make the keys of a bus that other machines may reach. Keys that exist are kept.

Set `bus: {keys: FOLDER}` in the configuration. To each client carry its NAME.key_secret and
server.key, in a folder of their own; deleting clients/NAME.key locks that client out at the next
start.

Examples:

  bindstream keys keys/

  bindstream keys keys/ tablet logger
"""


@app.command(help=_HELP)
def keys(
    folder: Annotated[Path, typer.Argument(help="Where the keys lie; made if it is not there.")],
    clients: Annotated[
        list[str] | None, typer.Argument(metavar="[CLIENT]...", help="Who else may connect.")
    ] = None,
) -> None:
    from bindstream.errors import ConfigError
    from bindstream.keys import make_keys

    for name in clients or ():
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(
                f"{name!r} cannot name a client.", fix="Use letters, digits, - and _ alone."
            )
    try:
        made = make_keys(folder, clients or [])
    except OSError as error:
        raise ConfigError(
            f"no keys can be written to {folder}: {error.strerror}.",
            fix="Choose a folder you may write to.",
        ) from None
    for path in made:
        out.print(str(path), markup=False, highlight=False)
    if not made:
        out.print(f"All keys were there already in {folder}.", markup=False, highlight=False)
