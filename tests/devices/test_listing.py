from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.devices.pulse import Pulse

pytest.importorskip("sounddevice")


def test_a_microphone_is_listed_as_it_can_be_opened(pulse: Pulse) -> None:
    # PortAudio looks for inputs once a process: a new one sees the server.
    command = "from bindstream.cli import main; main(['devices', '--json'])"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    microphones = [each for each in json.loads(done.stdout) if each["kind"] == "microphone"]
    assert "pulse" in [each["address"] for each in microphones]
    assert all(each["options"]["device"] == each["address"] for each in microphones)
