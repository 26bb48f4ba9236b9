"""A run with keys: its own nodes work, whoever has an allowed key is served, nobody else is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.control import ask
from bindstream.errors import BusError
from bindstream.keys import ClientKeys, client_keys, make_keys
from bindstream.records import Alert, Embedding
from nodes.supervisor import Supervisor
from tests.nodes.test_supervisor import ANY, embedded, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "keys"
    make_keys(folder, ["tablet"])
    return folder


@pytest.fixture(scope="module")
def run(keys: Path, tiny_model: Path) -> Iterator[Supervisor]:
    config = Config.model_validate(
        {
            "streams": [
                {
                    "name": "wrist",
                    "modality": "imu",
                    "window_s": 0.5,
                    "hop_s": 0.25,
                    "source": {"kind": "scene", "length_s": 3600},
                }
            ],
            "model": {"name": str(tiny_model), "threads": 1, "device": "cpu"},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY, "keys": str(keys)},
            # Every other window or so is above the middle of its background: alerts will come.
            "queries": [{"text": "a dog barking", "on": 0.01, "off": 0, "share": 0}],
            "sinks": [{"kind": "bus"}],
        }
    )
    with Supervisor(config) as supervisor:
        yield supervisor


def strangers(keys: Path) -> dict[str, ClientKeys | None]:
    public, secret = zmq.curve_keypair()
    allowed = client_keys(keys, "tablet")
    return {
        "no keys": None,
        "an unknown pair": ClientKeys(allowed.server, public, secret),
        "an allowed public key without its secret": ClientKeys(
            allowed.server, allowed.public, secret
        ),
        "the wrong server": ClientKeys(public, allowed.public, allowed.secret),
    }


def test_an_allowed_client_gets_vectors_and_alerts_and_others_nothing(
    run: Supervisor, keys: Path
) -> None:
    outside = {name: Subscriber(run.address, [""], own) for name, own in strangers(keys).items()}
    heard: list[Embedding | Alert] = []
    try:
        with Subscriber(run.address, [""], client_keys(keys, "tablet")) as tablet:
            while not {Embedding, Alert} <= {type(record) for record in heard}:
                record = tablet.receive(40)
                assert record is not None, f"nothing more after {heard}"
                heard.append(record)
        for name, stranger in outside.items():
            assert stranger.receive(0.3) is None, name
    finally:
        for stranger in outside.values():
            stranger.close()


def test_the_runs_own_nodes_hear_each_other(run: Supervisor) -> None:
    wait_for(run, lambda s: embedded(s, "wrist") >= 3, 30)
    wait_for(run, lambda s: s["match"].get("embeddings", {}).get("wrist", 0) >= 3, 15)
    assert run.status()["match"]["refused"] == 0


def test_only_allowed_clients_are_answered(run: Supervisor, keys: Path) -> None:
    tablet = client_keys(keys, "tablet")
    query = {"text": "glass breaking"}
    for name, own in strangers(keys).items():
        with pytest.raises(BusError, match="no answer within"):
            ask(run.control, {"op": "query.add", "query": query}, timeout_s=0.7, keys=own)
        listed = ask(run.control, {"op": "query.list"}, keys=tablet)["queries"]
        assert "glass-breaking" not in [q["id"] for q in listed], name
    assert ask(run.control, {"op": "query.add", "query": query}, keys=tablet)["id"] == (
        "glass-breaking"
    )
    assert ask(run.control, {"op": "status"}, keys=tablet)["streams"]["wrist"]["restarts"] == 0
