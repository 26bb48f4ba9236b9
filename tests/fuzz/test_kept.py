"""What a run kept, damaged: an alert of evidence, a state, a history. The rest of it is found, or
it is said what cannot be read."""

from __future__ import annotations

import dataclasses
import random
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from bindstream.errors import BindstreamError, DataError, StateError
from bindstream.evidence import find_evidence, folder_of, read_evidence
from bindstream.evidence.reading import make_room
from bindstream.evidence.saving import Told, save
from bindstream.state import KeptAlert, State
from tests.evidence.readings import BEGIN_NS, S
from tests.evidence.readings import alert as heard
from tests.state.alerts import alert

GARBAGE = [
    b"",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b'"x"',
    b"[" * 200_000,
    b'{"alert":' * 50_000,
    b'{"alert": {}}',
    b'{"alert": 3, "files": "x"}',
    b'{"kept_start_ns": 1e400}',
    b"9" * 100_000,
]


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    for at_s in (0, 60):
        start_ns = BEGIN_NS + at_s * S
        one = dataclasses.replace(heard("audio", 0, 4), id=f"dog/s/{start_ns}", start_ns=start_ns)
        told = Told(one, start_ns, start_ns + S, 1.0, (), "")
        save(tmp_path, folder_of(tmp_path, "dog", "s", start_ns), told, {"sound.wav": b"1"})
    return tmp_path


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_an_alert_that_cannot_be_read_hides_no_other(evidence: Path, content: bytes) -> None:
    broken, whole = sorted((evidence / "dog").iterdir())
    (broken / "alert.json").write_bytes(content)
    with pytest.raises(DataError, match=r"alert\.json cannot be read"):
        read_evidence(broken)
    with pytest.raises(DataError, match=r"alert\.json cannot be read"):
        find_evidence(evidence, f"dog/s/{BEGIN_NS}")
    assert find_evidence(evidence, f"dog/s/{BEGIN_NS + 60 * S}"[:-3]).folder == whole
    assert find_evidence(evidence, "last").folder == whole
    assert make_room(evidence, 36500, 10**9, BEGIN_NS, None) == 0


def test_an_alert_with_any_byte_changed_is_read_or_refused(evidence: Path) -> None:
    folder = sorted((evidence / "dog").iterdir())[0]
    content = (folder / "alert.json").read_bytes()
    rng = random.Random(2)
    refused = 0
    for _ in range(120):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 1, 20))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        (folder / "alert.json").write_bytes(changed[: rng.choice((None, rng.randrange(2000)))])
        try:
            assert isinstance(read_evidence(folder).told, Told)
        except DataError:
            refused += 1
    assert 30 < refused <= 120


def test_a_state_with_any_byte_changed_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = State(path, alone=True)
    state.keep_alerts([KeptAlert(alert(i)) for i in range(60)])
    state.close()
    content = path.read_bytes()
    rng = random.Random(3)
    refused = 0
    for i in range(80):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 8, 400))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        damaged = tmp_path / f"{i}.db"
        damaged.write_bytes(changed[: rng.choice((None, None, rng.randrange(len(content))))])
        state_of: State | None = None
        try:
            state_of = State(damaged, alone=True)
            state_of.alerts(most=1000)
            state_of.open()
            state_of.last_ended()
            state_of.judged()
            state_of.keep_alerts([KeptAlert(alert(1000))])
        except StateError:
            refused += 1
        finally:
            if state_of is not None:
                state_of.close()
    assert refused > 0


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lancedb") is None, reason="needs LanceDB")
def test_a_history_with_files_damaged_is_read_or_said(tmp_path: Path) -> None:
    from bindstream.history import History
    from tests.history.windows import unit, window, written

    whole = tmp_path / "whole"
    written(whole, [window(seq=i, vector=unit(i)) for i in range(40)])
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    rng = random.Random(4)
    for i in range(6):
        damaged = tmp_path / str(i)
        shutil.copytree(whole, damaged)
        path = damaged / rng.choice(files)
        content = bytearray(path.read_bytes())
        match rng.randrange(4):
            case 0:
                path.unlink()
            case 1:
                path.write_bytes(content[: rng.randrange(len(content) + 1)])
            case 2:
                path.write_bytes(rng.randbytes(len(content)))
            case _:
                for _ in range(20):
                    if content:
                        content[rng.randrange(len(content))] = rng.randrange(256)
                path.write_bytes(content)
        try:
            history = History(damaged)
            for model in history.models():
                for stream in history.streams(model):
                    for block in history.read(model, stream):
                        assert len(block.vectors) == len(block.starts_ns)
        except BindstreamError as error:
            said = str(error)
            if not said:
                pytest.fail("this error says nothing")
