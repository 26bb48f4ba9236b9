from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.cli.conftest import Command


def config_in(folder: Path, model: Path | str, port: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        "streams:\n  - {name: a, source: {kind: scene}, modality: imu}\n"
        f"model: {{name: {model}, device: cpu}}\n"
        f'bus: {{address: "tcp://127.0.0.1:{port}", inbound: "tcp://127.0.0.1:0", '
        'control: "tcp://127.0.0.1:0"}\n'
    )
    return path


def test_a_fit_machine_is_exit_code_0(
    bindstream: Command, tmp_path: Path, tiny_model: Path
) -> None:
    shown = bindstream("doctor", config_in(tmp_path, tiny_model, 0), "--json")
    found = {each["name"]: each for each in json.loads(shown.out)}
    assert [f"{n}: {f['found']}" for n, f in found.items() if f["state"] == "failed"] == []
    assert shown.code == 0
    assert "golden vectors right" in found[f"model {tiny_model}"]["found"]
    assert "answers 42" in found["Ray"]["found"]


def test_what_fails_comes_with_its_way_out_and_exit_code_1(
    bindstream: Command, tmp_path: Path, tiny_model: Path
) -> None:
    for file in tiny_model.iterdir():
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes()[:-1])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shown = bindstream("doctor", config_in(tmp_path, "./model", port), "--json")
    assert shown.code == 1
    failed = [each for each in json.loads(shown.out) if each["state"] == "failed"]
    assert {each["name"] for each in failed} == {
        f"model {tmp_path / 'model'}",
        f"port tcp://127.0.0.1:{port}",
    }
    assert all(each["fix"] for each in failed)
