"""What a disk left of a table is put in a new one, and nothing is thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.history.rescue import readable, rescue
from bindstream.history.store import Store
from tests.history.windows import NOON_NS, RUN_NS, numbers, window, writer

FILES, EACH = 5, 4


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A part of five files of four windows."""
    made = writer(tmp_path)
    for seq in range(FILES * EACH):
        made.push(window(seq=seq))
        if seq % EACH == EACH - 1:
            made.flush(NOON_NS)
    made.close(NOON_NS)
    return Store(tmp_path)


def table(store: Store) -> Path:
    return store.path(store.parts()[0])


def files(store: Store, kind: str) -> list[Path]:
    """Oldest first."""
    return sorted(table(store).joinpath(kind).iterdir(), key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize("left", [0, 100])
def test_what_lies_around_a_damaged_file_is_rescued(store: Store, left: int) -> None:
    damaged = files(store, "data")[1]
    damaged.write_bytes(damaged.read_bytes()[:left])
    part = store.parts()[0]
    assert not readable(store, part)
    said = rescue(store, part)
    assert (said.windows, said.lost) == ((FILES - 1) * EACH, EACH)
    assert numbers(store.folder) == [n for n in range(FILES * EACH) if n // EACH != 1]
    assert readable(store, part)
    assert said.aside.is_dir()
    assert f"{(FILES - 1) * EACH} could be read, {EACH} not" in str(said)


def test_a_version_before_the_damaged_ones_is_taken(store: Store) -> None:
    manifests = sorted(table(store).joinpath("_versions").glob("*.manifest"))  # newest first
    manifests[0].write_bytes(b"")
    manifests[1].write_bytes(manifests[1].read_bytes()[:50])
    part = store.parts()[0]
    assert not readable(store, part)
    said = rescue(store, part)
    assert (said.windows, said.lost) == ((FILES - 2) * EACH, None)
    assert "nobody can say how many" in str(said)
    assert numbers(store.folder) == list(range((FILES - 2) * EACH))


def test_of_what_is_wholly_damaged_nothing_is_left_but_the_files(store: Store) -> None:
    for manifest in table(store).joinpath("_versions").glob("*.manifest"):
        manifest.write_bytes(b"")
    part = store.parts()[0]
    said = rescue(store, part)
    assert (said.windows, said.lost) == (0, None)
    assert store.parts() == []
    assert len(list(said.aside.joinpath("data").iterdir())) == FILES


def test_it_may_happen_again(store: Store) -> None:
    part = store.parts()[0]
    places = set()
    for _ in range(2):
        files(store, "data")[0].write_bytes(b"")
        places.add(rescue(store, part).aside)
    assert len(places) == 2


def test_the_next_writer_rescues_what_a_dead_one_left_damaged(store: Store) -> None:
    died = writer(store.folder, RUN_NS + 1)
    died.push(window("mic", 0))
    died.flush(NOON_NS)
    assert died._open is not None
    died._open.lock.release()  # as if it had been killed
    newest = min(table(store).joinpath("_versions").glob("*.manifest"))
    newest.write_bytes(b"")
    made = writer(store.folder, RUN_NS + 2)
    made.tidy(NOON_NS)
    made.close(NOON_NS)
    (note,) = made.health(NOON_NS).notes
    assert f"{FILES * EACH} could be read" in note
    assert numbers(store.folder) == list(range(FILES * EACH))
