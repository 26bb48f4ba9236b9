"""bindstream explain: why an alert came, and what a stream hears, sees or feels now."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from bindstream.cli.app import app, out, screen
from bindstream.cli.bus_options import (
    AddressOption,
    ClientOption,
    ConfigOption,
    KeysOption,
    reach,
)
from bindstream.cli.explain_report import alert_picture, now_picture, plain
from bindstream.errors import BusError, DataError, StateError
from bindstream.keys import OWN_CLIENT

if TYPE_CHECKING:
    from bindstream.evidence import Evidence
    from bindstream.records import Alert
    from bindstream.state import KeptAlert

AGAIN_S = 0.5
"""How often a live view asks: windows come once a second or less."""
_HELP = """Say what a stream shows now, or why an alert came.

Of a STREAM of a running pipeline: what it hears, sees or feels in the words that the model and the
queries have, how every query stands against its cut, and its last alerts; until Ctrl-C. Once with
--once, or where the output is no terminal; --json alone goes on there, too, a line a window.

Of an ALERT (its id, a beginning of it that no other has, or "last", as `bindstream confirm` takes
it): its scores, what it was nearly mistaken for, what users said of it, and the files of its
evidence, which lie on the stream's host. Outside of the run's folder name its configuration (-c).
Evidence is kept where the configuration has a section `evidence: {}`.

Examples:

  bindstream explain kitchen

  bindstream explain kitchen --once --json | jq '.shows[0]'

  bindstream explain last -c home.yaml

  bindstream explain glass-breaking/kitchen/1795315353000000000 --evidence /data/evidence
"""


@app.command(help=_HELP)
def explain(
    name: Annotated[str, typer.Argument(metavar="STREAM|ALERT", help="See above.")],
    once: Annotated[bool, typer.Option("--once", help="Say it once, do not follow.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; of a stream one object a window.")
    ] = False,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="FOLDER", help="Else the configuration's.")
    ] = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    keys: KeysOption = None,
    client: ClientOption = OWN_CLIENT,
) -> None:
    if name == "last" or "/" in name:
        if name == "last" and evidence is None:
            name = _last(config, address, keys, client)
        _explain_alert(name, config, evidence, as_json)
        return
    from bindstream.control import ask

    to = reach(config, keys, client)

    def now() -> dict[str, Any]:
        request = {"op": "explain", "stream": name}
        return ask(address or to.control, request, timeout_s=10, keys=to.keys)

    if as_json:
        _print_windows(now, once)
    elif once or not out.is_terminal:
        # On a terminal lines wrap between words; elsewhere they stay whole.
        out.print(_picture(name, now()), soft_wrap=not out.is_terminal)
    else:
        with Live(_picture(name, now()), console=screen(), auto_refresh=False) as live:
            while True:
                time.sleep(AGAIN_S)
                live.update(_picture(name, now()), refresh=True)


def _picture(name: str, said: dict[str, Any]) -> RenderableType:
    if not said:
        return Text(f"{name}: no window of it so far", style="dim")
    return now_picture(said, time.time_ns())


def _print_windows(now: Any, once: bool) -> None:
    """A line a window, each once; with `once` the newest, as soon as there is one."""
    last_ns: int | None = None
    while True:
        said = now()
        if said and said["start_ns"] != last_ns:
            last_ns = said["start_ns"]
            typer.echo(json.dumps(plain(said), ensure_ascii=False, indent=2 if once else None))
            if once:
                return
        time.sleep(AGAIN_S)


def _last(config: Path | None, address: str | None, keys: Path | None, client: str) -> str:
    """The id of the last alert, the same that `bindstream confirm last` is about: of the pipeline
    that runs, or of the state; "last" where neither is there."""
    from bindstream.cli.alerts import latest

    with contextlib.suppress(BusError, StateError):
        return latest(config, address, keys, client)
    return "last"


def _explain_alert(name: str, config: Path | None, folder: Path | None, as_json: bool) -> None:
    """By what the run's state holds of the alert, if it keeps one, and by its evidence."""
    from bindstream.cli.alerts import PLACES
    from bindstream.config import Config, EvidenceConfig, load_config
    from bindstream.evidence import find_evidence, read_evidence

    loaded: Config | None = load_config(config, played=False) if config is not None else None
    if loaded is not None:
        kept = _kept(name, loaded.state_path)
    else:
        places = PLACES if folder is None else ()
        kept = _kept(name, next((place for place in places if place.is_file()), None))
    evidence: Evidence | None = None
    if kept is None:
        where = (loaded.evidence if loaded is not None else None) or EvidenceConfig()
        try:
            evidence = find_evidence(folder or where.path, name)
        except DataError as error:
            if config is not None or folder is not None:
                raise
            fix = f"Name its configuration (-c) or the folder (--evidence). {error.fix}"
            raise DataError(error.what, where=error.where, fix=fix) from None
    elif kept.alert.evidence:
        with contextlib.suppress(DataError):  # it went, or lies on the stream's host
            evidence = read_evidence(Path(kept.alert.evidence))
    alert = kept.alert if kept is not None else evidence.told.alert  # type: ignore[union-attr]
    judged = " ".join((kept.verdict, kept.note)).strip() if kept is not None else ""
    if as_json:
        typer.echo(json.dumps(plain(_as_data(alert, evidence, judged)), indent=2))
    else:
        out.print(alert_picture(alert, evidence, judged))


def _kept(name: str, path: Path | None) -> KeptAlert | None:
    """What the state holds of an alert; None without a state, or if the alert is not in it."""
    from bindstream.state import State

    if path is None or not path.is_file():
        return None
    state = State(path)
    try:
        return state.find(name)
    except StateError:
        return None
    finally:
        state.close()


def _as_data(alert: Alert, evidence: Evidence | None, judged: str) -> dict[str, Any]:
    import msgspec

    told = msgspec.to_builtins(evidence.told) if evidence is not None else {}
    files = [str(path) for path in evidence.files] if evidence is not None else []
    folder = str(evidence.folder) if evidence is not None else None
    own = {"alert": msgspec.to_builtins(alert), "folder": folder, "files": files, "judged": judged}
    return {**told, **own}
