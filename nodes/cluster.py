"""Ray itself: a private one on loopback, or a cluster that is already there."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from bindstream.config import RayConfig
from bindstream.errors import BindstreamError, ConfigError

HEALTH: dict[str, Any] = {
    # A dead node is noticed after about 2.5 s instead of 16 s.
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 2,
    "health_check_initial_delay_ms": 0,
}
QUIET: dict[str, Any] = {
    # Else Ray's head keeps a record of every call for its dashboard: 160 MB an hour with four
    # streams, until it has 100,000 of them.
    "task_events_report_interval_ms": 0,
}
TEGRA = Path("/etc/nv_tegra_release")
"""There on a Jetson, whose one GPU Ray does not count by itself (ray-project/ray#46263)."""
PROBE_S = 3.0
"""How long a cluster's head may take to accept a connection; Ray itself would try for minutes."""
_TOKEN_LOG = "ray._private.authentication.authentication_token_setup"


def start_ray(config: RayConfig) -> None:
    """Start a Ray of our own on loopback, or join the cluster at `config.address`.

    Raises:
        BindstreamError: a Ray of our own does not come up.
        ConfigError: the cluster does not answer.
    """
    if ray.is_initialized():
        return
    # It would tell every user at every start that connections are authenticated, as they should be.
    logging.getLogger(_TOKEN_LOG).setLevel(logging.ERROR)
    with _own_signals():
        if config.address is not None:
            _join(config.address)
            return
        _own(config.object_store_mb * 2**20)


def _own(object_store_bytes: int) -> None:
    try:
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, 1),
            num_gpus=1 if TEGRA.exists() else None,
            include_dashboard=False,
            object_store_memory=object_store_bytes,
            log_to_driver=False,
            logging_level=logging.WARNING,
            _node_ip_address="127.0.0.1",
            _system_config={**HEALTH, **QUIET},
        )
    except Exception as error:  # Ray raises the bare class where it gave up waiting for itself
        raise BindstreamError(
            f"Ray did not start ({error}).",
            where="ray",
            fix="It gives itself 30 s, which a machine busy with other work may exceed: try again "
            "when it is calmer. `bindstream doctor` tries Ray on its own.",
        ) from error


def _join(address: str) -> None:
    if address != "auto":
        _probe(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError) as error:
        raise _nobody(address, str(error)) from None


def _probe(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 65536):
        raise ConfigError(
            f"{address!r} is no address.", where="ray.address", fix='Give HOST:PORT, or "auto".'
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_S).close()
    except OSError as error:
        raise _nobody(address, str(error)) from None


def _nobody(address: str, why: str) -> ConfigError:
    return ConfigError(
        f"no Ray cluster answers at {address} ({why}).",
        where="ray.address",
        fix="Start one with `ray start --head`, or leave ray.address out.",
    )


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the caller's handling of SIGTERM: Ray sets one of its own, which exits undrained."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def reachable(address: str) -> str:
    """A bound bus address as other nodes of the cluster can connect to it."""
    own = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return address.replace("//0.0.0.0:", f"//{own}:")


def stop_ray() -> None:
    """Leave Ray; a private one ends with us."""
    ray.shutdown()
