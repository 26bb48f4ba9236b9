"""The README's programs are run as they stand, and its commands are ones that exist."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bindstream.bus import Broker, Publisher
from bindstream.cli.app import app
from bindstream.config import Config
from tests.history.windows import DIM, NOON_NS, window, written
from tests.test_bus import ALERT, EMBEDDING

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def block(language: str, holding: str) -> str:
    (found,) = [b for b in blocks(language) if holding in b]
    return found


def python(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_subscriber_of_twenty_lines_needs_no_bindstream() -> None:
    program = block("python", "import msgpack")
    assert len(program.splitlines()) <= 20
    assert "bindstream" not in program
    with_port = program.replace("tcp://127.0.0.1:5560", "{address}")
    broker = Broker("tcp://127.0.0.1:0", "tcp://127.0.0.1:0")
    publisher = Publisher(broker.inbound)
    process = python(with_port.replace("{address}", broker.address))
    assert process.stdout is not None
    heard: list[str] = []

    def hear(lines: Iterable[str]) -> None:
        for line in lines:
            heard.append(line)

    threading.Thread(target=hear, args=(process.stdout,), daemon=True).start()

    def kinds() -> set[str]:
        return {line.partition(".")[0] for line in heard}

    try:
        for seq in range(200):  # until the program is up and its subscription has arrived
            publisher.publish(replace(EMBEDDING, seq=seq))
            publisher.publish(ALERT)
            time.sleep(0.05)
            if process.poll() is not None or kinds() == {"emb", "alert"}:
                break
    finally:
        process.terminate()
        process.wait(5)
        publisher.close()
        broker.close()
    assert kinds() == {"emb", "alert"}


def test_loading_the_model_and_embedding_words_prints_their_shape() -> None:
    process = python(block("python", "load_model("))
    said, _ = process.communicate(timeout=60)
    assert re.fullmatch(r"\(2, \d+\)\n", said)


def test_the_pipeline_in_one_process_prints_an_alert() -> None:
    program = block("python", "Pipeline(")
    quick = program.replace("configs/demo.yaml", "tests/readme_scene.yaml")
    process = python(quick)
    said, _ = process.communicate(timeout=100)
    assert said.startswith("started ")


def test_reading_the_history_prints_what_each_stream_kept(tmp_path: Path) -> None:
    pytest.importorskip("lancedb")
    written(tmp_path, [window(stream, seq) for stream in ("door", "mic") for seq in range(3)])
    process = python(block("python", "History(").replace('"history"', repr(str(tmp_path))))
    said, _ = process.communicate(timeout=100)
    assert said.splitlines() == [f"{name} {NOON_NS} (3, {DIM}) 1.0" for name in ("door", "mic")]


@pytest.mark.parametrize("shown", blocks("yaml"))
def test_the_configurations_shown_are_ones_that_load(shown: str) -> None:
    assert Config.model_validate(yaml.safe_load(shown)).streams


@pytest.mark.parametrize(
    "line",
    sorted(set(re.findall(r"^(bindstream .*?)(?:\s+#|$)", "\n".join(blocks("bash")), re.M))),
)
def test_every_command_shown_exists(line: str) -> None:
    words = [w for w in line.split()[1:3] if re.fullmatch(r"[a-z]+", w)]
    command = words[:2] if words[0] in ("query", "rule", "model") else words[:1]
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0, done.output
