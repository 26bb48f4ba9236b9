"""A run on Ray that keeps its vectors: killed, drained, and shown."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from bindstream.cli.tables import history_line
from bindstream.config import Config
from bindstream.history import History, Writer
from bindstream.models.directory import read_spec
from nodes.supervisor import Supervisor
from tests.nodes.test_supervisor import ANY, embedded, wait_for, warned

pytest.importorskip("lancedb")
pytestmark = pytest.mark.slow


def config(folder: Path, model: Path) -> Config:
    pictures = folder / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        noise = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).save(pictures / f"{i:02d}.png")
    source = {"kind": "camera", "folder": str(pictures), "fps": 10, "loop": True}
    stream = {"source": source, "window_s": 1, "hop_s": 0.25}
    return Config.model_validate(
        {
            "streams": [{"name": f"door{i}", **stream} for i in range(2)],
            "model": {"name": str(model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "sinks": [{"kind": "bus"}],
            "history": {"path": str(folder / "history"), "flush_s": 0.5},
        }
    )


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path) -> Iterator[Supervisor]:
    with Supervisor(config(tmp_path, tiny_model)) as supervisor:
        yield supervisor


def kept(status: dict[str, Any]) -> dict[str, Any]:
    return dict(status["history"].get("kept", {}))


def stored(status: dict[str, Any]) -> int:
    return sum(kept(status).get("stored", {}).values())


def shown(status: dict[str, Any]) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        console.print(history_line(status))
    return capture.get()


def test_a_killed_history_goes_on_says_what_it_lost_and_keeps_the_rest(
    run: Supervisor, tmp_path: Path, tiny_model: Path
) -> None:
    wait_for(run, lambda s: stored(s) > 10, 90)
    assert f"MB in {tmp_path / 'history'}" in shown(run.status())
    os.kill(run.status()["history"]["pid"], signal.SIGKILL)
    wait_for(run, lambda s: s["history"]["restarts"] == 1, 60)
    before = stored(run.status())
    wait_for(run, lambda s: stored(s) > before + 10, 60)
    assert any("history died and was restarted" in said for said in warned(run))
    run.drain()
    run.poll()
    status = run.status()
    said = kept(status)
    assert (said["waiting"], said["trouble"]) == (0, "")
    model = read_spec(tiny_model).fingerprint
    history = History(tmp_path / "history")
    for name, stream in status["streams"].items():
        numbers = [e.seq for e in history.embeddings(model, name)]
        assert numbers == sorted(set(numbers))
        accounts = stream["intake"]["accounts"]
        published = accounts["embedded"] + accounts["reused"]
        # What is not there was missed or lost, and counted.
        absent = said["missed"].get(name, 0) + said["lost"].get(name, 0)
        assert len(numbers) == said["stored"][name]
        assert published - len(numbers) <= absent
        assert len(numbers) + absent <= accounts["captured"]
    line = shown(status)
    assert f"{sum(said['stored'].values()):,} vectors" in line
    lost = [said for said in warned(run) if "died before it could close" in said]
    assert len(lost) <= 1  # told once
    assert bool(lost) == bool(said["lost"])


def test_a_history_that_another_process_writes_stops_no_run(
    tmp_path: Path, tiny_model: Path
) -> None:
    holder = Writer(tmp_path / "history", 1, keep_days=1, keep_bytes=10**9)
    holder.open()
    with Supervisor(config(tmp_path, tiny_model)) as run:
        wait_for(run, lambda s: "another process" in kept(s).get("trouble", ""), 90)
        wait_for(run, lambda s: embedded(s, "door0") > 3, 30)
        assert any("another process" in said for said in warned(run))
        assert "another process" in shown(run.status())
        holder.close(0)
        wait_for(run, lambda s: stored(s) > 10 and not kept(s)["trouble"], 60)
        assert any("history: well again" in said for said in warned(run))
    shutil.rmtree(tmp_path / "history")


def test_a_run_without_one_has_none(tmp_path: Path, tiny_model: Path) -> None:
    without = config(tmp_path, tiny_model).model_copy(update={"history": None})
    with Supervisor(without) as run:
        wait_for(run, lambda s: "pid" in s["streams"]["door0"], 60)
        assert run.status()["history"] == {}
        assert shown(run.status()).strip() == ""
    assert not (tmp_path / "history").exists()
