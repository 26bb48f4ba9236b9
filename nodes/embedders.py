"""The embedding actors of a run: one a device."""

from __future__ import annotations

from ray.exceptions import GetTimeoutError, RayError

from bindstream.bus import is_loopback
from bindstream.config import Config
from bindstream.errors import ModelError
from nodes.embed import EmbedHealth, EmbedNode
from nodes.placement import actor, check_gpus, here
from nodes.watched import Watched, reason
from nodes.wiring import Wiring

LOAD_S = 300.0
"""How long the model may take to load: imagebind_huge lies on slow disks too."""
COMPILE_S = 1200.0
"""How much longer it may take where its towers are compiled."""
EMBED_CALLS = 256
"""Windows that may be with an embed actor at a time, waiting for its towers."""


def start_embedders(config: Config, wiring: Wiring) -> list[Watched[EmbedHealth]]:
    """Starts them, and waits until they have read the model.

    Raises:
        ModelError: one could not, or there are too few GPUs.
    """
    model = config.model
    # A bus on loopback can be reached by no other node.
    only_here = is_loopback(config.bus.inbound)
    check_gpus(model, only_here)
    start_s = LOAD_S + (COMPILE_S if model.compile else 0)
    embedders: list[Watched[EmbedHealth]] = []
    for i in range(model.actors):
        name = f"embed-{i}"
        options = {"num_gpus": model.num_gpus, "name": name, **(here() if only_here else {})}
        # The first one encodes queries; the others need no text tower.
        needed = config.towers if i == 0 else config.modalities
        handle = actor(EmbedNode, options, calls=EMBED_CALLS).remote(model, wiring, needed)
        local = config.ray.address is None
        embedders.append(Watched(name, handle, local=local, start_s=start_s))
    for embedder in embedders:
        try:
            embedder.await_start()
        except RayError as error:
            late = isinstance(error, GetTimeoutError)
            raise ModelError(
                f"the model could not be loaded: {reason(error)}",
                where=f"model {model.name!r}",
                fix="Are the GPUs that model.num_gpus asks for free?"
                if late and model.num_gpus
                else "Run `bindstream doctor`.",
            ) from None
    return embedders
