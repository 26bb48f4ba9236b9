"""A private sound server with one virtual sink, whose monitor is the default microphone.

Nothing of the machine's own sound is touched: the server has its own socket, and
`PULSE_SERVER` points this process (and what it starts) at it for as long as it runs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system import require

SCRIPT = """\
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name={sink} rate=48000 channels=1 format=s16le norewinds=1
set-default-sink {sink}
set-default-source {sink}.monitor
"""
SINK = "bs_sink"
FOREGROUND = ("--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no")


class Pulse:
    """A running server: `play` feeds the microphone, `unplug` and `plug` are what they say."""

    def __init__(self, folder: Path) -> None:
        run = folder / "run"
        self._socket = run / "pulse" / "native"
        self._socket.parent.mkdir(parents=True)
        run.chmod(0o700)
        self.environment = {"XDG_RUNTIME_DIR": str(run), "PULSE_SERVER": f"unix:{self._socket}"}
        self._script = folder / "file.pa"
        self._script.write_text(SCRIPT.format(socket=self._socket, sink=SINK))
        self._log = folder / "pulse.log"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server; returns when it answers."""
        self._socket.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._daemon = subprocess.Popen(
                ["pulseaudio", "-n", "-F", str(self._script), *FOREGROUND],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )
        until_s = time.monotonic() + 20
        while self._pactl("info", check=False):
            if time.monotonic() > until_s or self._daemon.poll() is not None:
                raise RuntimeError(f"pulseaudio does not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server and what plays, by their own ids."""
        for process in [*self._players, *([self._daemon] if self._daemon else [])]:
            process.kill()
            process.wait(10)
        self._players, self._daemon = [], None

    def play(self, wav: Path) -> subprocess.Popen[bytes]:
        """Begin to play a file into the sink; `.wait()` on what is returned to hear it out."""
        player = subprocess.Popen(["paplay", str(wav)], env={**os.environ, **self.environment})
        self._players.append(player)
        return player

    def unplug(self) -> None:
        """Take the sink, and the microphone with it, away."""
        self._pactl("unload-module", "module-null-sink")

    def plug(self) -> None:
        """Bring them back."""
        self._pactl(
            *("load-module", "module-null-sink", f"sink_name={SINK}", "rate=48000"),
            *("channels=1", "format=s16le", "norewinds=1"),
        )
        self._pactl("set-default-sink", SINK)
        self._pactl("set-default-source", f"{SINK}.monitor")

    def suspend(self, suspended: bool) -> None:
        """Make the microphone fall silent without a word, or go on."""
        self._pactl("suspend-sink", SINK, str(int(suspended)))

    def freeze(self) -> None:
        """Stop the server where it stands, as a hung driver does, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(number)

    def _pactl(self, *words: str, check: bool = True) -> int:
        done = subprocess.run(
            ["pactl", *words],
            env={**os.environ, **self.environment},
            capture_output=True,
            timeout=20,
            check=check,
        )
        return done.returncode


@contextmanager
def running_pulse(folder: Path) -> Iterator[Pulse]:
    """A server for the length of a `with`; this process and its children use it meanwhile."""
    server = Pulse(folder)
    before = {name: os.environ.get(name) for name in server.environment}
    os.environ.update(server.environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    """A private PulseAudio whose null sink is this process's microphone."""
    require_pulse()
    with running_pulse(tmp_path / "pulse") as server:
        yield server


def require_pulse() -> None:
    """Skip the calling test where a server cannot be run."""
    require("pulseaudio", shutil.which("pulseaudio") is not None)
    require("pulseaudio-utils", shutil.which("paplay") is not None)
    require("libasound2-plugins", has_alsa_pulse())


def has_alsa_pulse() -> bool:
    """Whether ALSA's way to PulseAudio is installed: by it PortAudio gets there."""
    return any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so"))
