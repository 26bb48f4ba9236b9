"""On a cluster of two nodes: everyone runs where they were put, and who cannot is named."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.cluster_utils import Cluster

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.errors import ConfigError, ModelError
from bindstream.keys import client_keys, make_keys
from nodes.supervisor import Supervisor
from tests.nodes.test_supervisor import ANY, embedded, wait_for, warned

pytestmark = pytest.mark.slow

STORE = 80 * 2**20
MISSED = "no node of the cluster has {cellar: 1} (placement.resources)"
CELLAR_MISSED, CELLAR_WELL = f"stream cellar: {MISSED}", "stream cellar: well again"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    head = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def attic(cluster: Cluster) -> Any:
    return cluster.add_node(
        num_cpus=1, num_gpus=1, resources={"attic": 1}, object_store_memory=STORE
    )


def config(
    address: str,
    tiny_model: Path,
    placements: dict[str, Any],
    *,
    num_gpus: int = 0,
    bus: dict[str, str] | None = None,
) -> Config:
    model = {"name": str(tiny_model), "threads": 1, "device": "cpu", "num_gpus": num_gpus}
    scene = {"kind": "scene", "length_s": 3600}
    live = {"kind": "imu", "port": "/dev/ttyGARDEN"}  # so nobody waits for who never comes
    return Config.model_validate(
        {
            "ray": {"address": address},
            "streams": [
                {
                    "name": name,
                    "modality": "imu",
                    "source": live if name == "garden" else scene,
                    "placement": placement,
                }
                for name, placement in placements.items()
            ],
            "model": model,
            "bus": {"address": ANY, "inbound": ANY, "control": ANY, **(bus or {})},
        }
    )


@pytest.fixture(scope="module")
def run(cluster: Cluster, attic: Any, tiny_model: Path) -> Iterator[Supervisor]:
    placements = {
        "anywhere": {},
        "attic-resource": {"resources": {"attic": 1}},
        "attic-node": {"node": attic.node_id},
        "attic-second": {"resources": {"attic": 1}},  # there is only one
        "cellar": {"resources": {"cellar": 1}},
        "garden": {"node": "10.9.8.7"},
    }
    with Supervisor(config(cluster.address, tiny_model, placements)) as supervisor:
        yield supervisor


def raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def test_streams_run_where_they_were_put(run: Supervisor, attic: Any) -> None:
    put = ("attic-resource", "attic-node")
    wait_for(run, lambda s: all(embedded(s, name) >= 2 for name in (*put, "anywhere")), 60)
    for name in put:
        said = run.status()["streams"][name]
        assert said["node"] == attic.node_id
        assert psutil.Process(said["pid"]).ppid() == raylet(attic)


def test_what_uses_a_bus_on_loopback_stays_beside_it(run: Supervisor, cluster: Cluster) -> None:
    wait_for(run, lambda s: sum(s["match"].get("embeddings", {}).values()) > 0, 30)
    for said in (run.status()["embedders"]["embed-0"], run.status()["match"]):
        assert psutil.Process(said["pid"]).ppid() == raylet(cluster.head_node)


def test_a_stream_no_node_can_take_is_named_with_what_is_missing(run: Supervisor) -> None:
    missing = {
        "stream cellar": MISSED,
        "stream garden": "the cluster has no node 10.9.8.7 (placement.node)",
    }
    assert wait_for(run, lambda s: missing.items() <= s["troubles"].items(), 15) < 15
    assert {f"{name}: {what}" for name, what in missing.items()} <= set(warned(run))


def test_a_stream_whose_place_is_taken_is_named(run: Supervisor) -> None:
    name, begins = "stream attic-second", "not started within"
    wait_for(run, lambda s: s["troubles"].get(name, "").startswith(begins), 30)


@pytest.fixture(scope="module")
def cellar(run: Supervisor, cluster: Cluster) -> Any:
    """The node of the stream of that name, which joins when it has been missed."""
    wait_for(run, lambda s: s["troubles"].get("stream cellar") == MISSED, 30)
    node = cluster.add_node(num_cpus=1, resources={"cellar": 1}, object_store_memory=STORE)
    wait_for(run, lambda s: embedded(s, "cellar") >= 2, 60)
    return node


def test_a_stream_begins_when_its_node_joins(run: Supervisor, cellar: Any) -> None:
    assert run.status()["streams"]["cellar"]["node"] == cellar.node_id
    wait_for(run, lambda s: "stream cellar" not in s["troubles"], 10)
    when = {said["what"]: said["at_ns"] for said in run.status()["warnings"]}
    assert when[CELLAR_MISSED] < when[CELLAR_WELL] <= time.time_ns() + 10**9


def test_a_lost_node_is_named_and_the_other_streams_go_on(
    run: Supervisor, cluster: Cluster, cellar: Any
) -> None:
    wait_for(run, lambda _: CELLAR_WELL in warned(run), 10)
    cluster.remove_node(cellar, allow_graceful=False)
    wait_for(run, lambda _: warned(run).count(CELLAR_MISSED) == 2, 60)
    before = embedded(run.status(), "anywhere")
    wait_for(run, lambda s: embedded(s, "anywhere") >= before + 2, 20)


def test_draining_settles_what_is_there_and_does_not_wait_for_who_never_came(
    run: Supervisor,
) -> None:
    begun = time.monotonic()
    run.drain()
    status = run.status()
    run.stop()
    assert time.monotonic() - begun < 8
    for name in ("anywhere", "attic-resource", "attic-node"):
        said = status["streams"][name]["intake"]["accounts"]
        assert said["pending"] == 0
        assert said["captured"] == said["embedded"] + said["reused"] + sum(said["dropped"].values())


def test_gpus_nobody_here_has_are_refused_at_once_with_the_way_out(
    cluster: Cluster, attic: Any, tiny_model: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(ModelError, match=r"^model\.num_gpus: 1 .* 0 on this machine.*bus\.keys"):
        Supervisor(config(cluster.address, tiny_model, {"a": {}}, num_gpus=1)).start()
    with pytest.raises(ModelError, match=r"^model\.num_gpus: 2 .* Leave num_gpus out"):
        Supervisor(config(cluster.address, tiny_model, {"a": {}}, num_gpus=2)).start()
    assert time.monotonic() - begun < 20


def test_with_a_bus_others_can_reach_the_model_runs_where_the_gpu_is(
    cluster: Cluster, attic: Any, tiny_model: Path, tmp_path: Path
) -> None:
    make_keys(tmp_path, ["tablet"])
    bus = {"inbound": "tcp://0.0.0.0:0", "keys": str(tmp_path)}
    made = config(cluster.address, tiny_model, {"imu": {}}, num_gpus=1, bus=bus)
    with Supervisor(made) as run:
        with Subscriber(run.address, ["emb."], client_keys(tmp_path, "tablet")) as tablet:
            assert tablet.receive(40) is not None
        run.poll()
        pid = run.status()["embedders"]["embed-0"]["pid"]
        assert psutil.Process(pid).ppid() == raylet(attic)


def test_a_cluster_that_is_not_there_is_refused_quickly(tiny_model: Path) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(
            ConfigError, match=rf"^ray\.address: no Ray cluster answers at {address}"
        ):
            Supervisor(config(address, tiny_model, {"a": {}})).start()
    assert time.monotonic() - begun < 5


def test_what_is_no_address_is_named(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match=r"^ray\.address: 'attic' is no address.*HOST:PORT"):
        Supervisor(config("attic", tiny_model, {"a": {}})).start()
