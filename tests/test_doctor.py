from __future__ import annotations

import itertools
import socket
from pathlib import Path

import pytest

from bindstream import doctor
from bindstream.clocks.kernel import KernelClock
from bindstream.config import Config
from bindstream.doctor import Finding, examine


def config_of(model: Path | str, **bus: str) -> Config:
    return Config.model_validate(
        {
            "streams": [{"name": "a", "source": {"kind": "scene"}, "modality": "imu"}],
            "model": {"name": str(model), "device": "cpu"},
            "bus": {"address": "ipc:///tmp/a", "inbound": "ipc:///tmp/b", "control": "ipc:///tmp/c"}
            | bus,
            "ray": {"object_store_mb": 75},
        }
    )


def findings(config: Config) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(config)}


def test_a_right_model_answers_its_golden_vectors(tiny_model: Path) -> None:
    found = findings(config_of(tiny_model))
    assert found[f"model {tiny_model}"].state == "ok"
    assert found["torch"].state == "ok"
    assert "product on the CPU right" in found["torch"].found


def test_a_model_that_is_not_there_fails_with_the_way_out() -> None:
    found = findings(config_of("unheard-of"))["model unheard-of"]
    assert found.state == "failed"
    assert found.fix


def test_a_port_in_use_fails_and_a_free_one_does_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert findings(config_of("none", address=address))[f"port {address}"].state == "failed"
    assert findings(config_of("none", address=address))[f"port {address}"].state == "ok"


@pytest.mark.parametrize(
    ("kept", "state", "said"),
    [
        (KernelClock(True, 350_000), "ok", "0.35 ms"),
        (KernelClock(True, 2_500_000_000), "warning", "2,500.00 ms"),
        (KernelClock(False, None), "warning", "nothing keeps"),
    ],
)
def test_how_wrong_the_hosts_clock_may_be_is_said(
    monkeypatch: pytest.MonkeyPatch, kept: KernelClock, state: str, said: str
) -> None:
    monkeypatch.setattr(doctor, "read_kernel_clock", lambda: kept)
    (found,) = (each for each in itertools.islice(examine(None), 3) if each.name == "clock")
    assert (found.state, said in found.found) == (state, True)
    assert bool(found.fix) == (state != "ok")


def test_ray_that_cannot_start_is_a_finding_not_a_crash() -> None:
    def broken() -> str:
        raise RuntimeError("no room")

    (found,) = (f for f in examine(config_of("x"), broken) if f.name == "Ray")
    assert (found.state, found.found) == ("failed", "RuntimeError: no room")
    assert found.fix


def test_each_sensor_of_a_configuration_is_opened(tiny_model: Path) -> None:
    config = config_of(tiny_model).model_dump()
    absent = {"name": "wrist", "source": {"kind": "imu", "port": "/dev/nowhere"}}
    found = findings(Config.model_validate(config | {"streams": [*config["streams"], absent]}))
    assert found["stream a"].state == "ok"
    assert found["stream wrist"].state == "failed"
    assert "/dev/nowhere" in found["stream wrist"].found
    assert found["stream wrist"].fix
