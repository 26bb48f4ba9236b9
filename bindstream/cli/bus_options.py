"""Options of commands that speak to a running pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bindstream.config import BusConfig
    from bindstream.keys import ClientKeys

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Take addresses and keys from this configuration."),
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="Address instead, such as tcp://10.0.0.5:5560."),
]
KeysOption = Annotated[
    Path | None, typer.Option("--keys", help="Folder with server.key and NAME.key_secret.")
]
ClientOption = Annotated[str, typer.Option("--client", help="NAME of the key to use.")]


@dataclass(frozen=True)
class Reach:
    """How to reach a pipeline: its bus, its control address and this client's keys."""

    bus: str
    control: str
    keys: ClientKeys | None


def reach(config: Path | None, keys: Path | None, client: str) -> Reach:
    """Addresses and keys as a configuration states them, or the defaults.

    Raises:
        ConfigError: the configuration cannot be used.
        BusError: the keys cannot be used.
    """
    from bindstream.config import load_config
    from bindstream.keys import client_keys

    bus: BusConfig
    if config is not None:
        bus = load_config(config, played=False).bus
    else:
        from bindstream.config import BusConfig

        bus = BusConfig()
    folder = keys or bus.keys
    return Reach(bus.address, bus.control, client_keys(folder, client) if folder else None)
