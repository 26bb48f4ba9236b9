"""Where in a Ray cluster an actor runs, and what to say when no node can take it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bindstream.config import ModelConfig, PlacementConfig, StreamConfig
from bindstream.errors import ModelError


def actor(node: type, options: Mapping[str, Any], *, calls: int = 4) -> Any:
    """A remote class whose process Ray restarts for ever and that takes no CPU slot.

    Args:
        options: Ray actor options.
        calls: calls it may have going on at once.
    """
    return ray.remote(node).options(max_restarts=-1, num_cpus=0, max_concurrency=calls, **options)


def placed(placement: PlacementConfig) -> dict[str, Any]:
    """Ray actor options that put an actor where a stream's placement says."""
    node = placement.node
    resources = dict(placement.resources)
    if node is None:
        return {"resources": resources}
    if not _is_id(node):  # an IP address: Ray gives each node a resource of that name
        return {"resources": {**resources, f"node:{node}": 0.001}}
    return {
        "resources": resources,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
    }


def homeless(streams: Iterable[StreamConfig]) -> dict[str, str]:
    """Streams that no node of the cluster can take now, and why."""
    bound = [s for s in streams if s.placement.node or s.placement.resources]
    nodes = alive_nodes() if bound else {}
    return {s.name: why for s in bound if (why := unplaceable(s.placement, nodes))}


def here() -> dict[str, Any]:
    """Ray actor options that put an actor on this process's own node."""
    node = ray.get_runtime_context().get_node_id()
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


Nodes = Mapping[str, Mapping[str, float]]


def alive_nodes() -> Nodes:
    """The nodes that are up: id to all resources, taken or not."""
    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]


def unplaceable(placement: PlacementConfig, nodes: Nodes) -> str:
    """Why none of these nodes could ever take a stream; "" if one could."""
    node, asked = placement.node, placement.resources
    if node is not None:
        nodes = {i: has for i, has in nodes.items() if node == i or f"node:{node}" in has}
        if not nodes:
            return f"the cluster has no node {node} (placement.node)"
    if any(_has(resources, asked) for resources in nodes.values()):
        return ""
    needed = ", ".join(f"{name}: {amount:g}" for name, amount in asked.items())
    which = f"node {node}" if node is not None else "no node of the cluster"
    verb = "lacks" if node is not None else "has"
    return f"{which} {verb} {{{needed}}} (placement.resources)"


def check_gpus(model: ModelConfig, only_here: bool) -> None:
    """Refuse more GPUs than there are: Ray would wait for them for ever.

    Args:
        only_here: count those of this process's own node alone.

    Raises:
        ModelError: there are too few.
    """
    if not model.num_gpus:
        return
    everywhere = {i: has.get("GPU", 0.0) for i, has in alive_nodes().items()}
    own = everywhere.get(ray.get_runtime_context().get_node_id(), 0.0)
    gpus = [own] if only_here else list(everywhere.values())
    if _enough(gpus, model):
        return
    elsewhere = _enough(everywhere.values(), model)
    raise ModelError(
        f"{model.num_gpus:g} for each of {model.actors} embedding processes, but Ray finds "
        f"{sum(gpus):g} on {'this machine' if only_here else 'the cluster'}.",
        where="model.num_gpus",
        fix="Other nodes have them, but cannot reach a bus on loopback: set bus.inbound to an "
        "address of this machine, and bus.keys."
        if elsewhere
        else "Leave num_gpus out, or lower it.",
    )


def _enough(gpus: Iterable[float], model: ModelConfig) -> bool:
    return sum(int(count / model.num_gpus) for count in gpus) >= model.actors


def _has(resources: Mapping[str, float], asked: Mapping[str, float]) -> bool:
    return all(resources.get(name, 0.0) >= amount for name, amount in asked.items())


def _is_id(node: str) -> bool:
    """True for a Ray node id, 56 hex digits; anything else is an address."""
    return len(node) == 56 and set(node) <= set("0123456789abcdef")
