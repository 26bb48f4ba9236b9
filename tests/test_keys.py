"""Keys: made once, secret where they must be, and refused by name when they are no use."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq

from bindstream.errors import BusError
from bindstream.keys import OWN_CLIENT, client_keys, make_keys, server_keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys", ["tablet"])
    return tmp_path / "keys"


def test_secret_keys_are_for_their_owner_alone(folder: Path) -> None:
    secrets = sorted(folder.rglob("*.key_secret"))
    assert [p.name for p in secrets] == [
        f"{n}.key_secret" for n in sorted([OWN_CLIENT, "server", "tablet"])
    ]
    assert {stat.S_IMODE(p.stat().st_mode) for p in secrets} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_public_files_hold_no_secret(folder: Path) -> None:
    public = sorted(folder.rglob("*.key"))
    assert len(public) == 3
    for path in public:
        assert "secret-key" not in path.read_text()


def test_every_client_has_a_pair_of_its_own_that_fits_together(folder: Path) -> None:
    server = server_keys(folder)
    tablet, own = client_keys(folder, "tablet"), client_keys(folder)
    assert len({server.public, tablet.public, own.public}) == 3
    for pair in (server, tablet, own):
        assert zmq.curve_public(pair.secret) == pair.public
    assert tablet.server == own.server == server.public


def test_keys_that_exist_are_kept_and_only_new_ones_are_made(folder: Path) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*.key*")}
    made = make_keys(folder, ["tablet", "logger"])
    assert [p.relative_to(folder) for p in made] == [
        Path("clients/logger.key"),
        Path("logger.key_secret"),
    ]
    assert {p: p.read_bytes() for p in before} == before


def test_a_missing_key_is_named_with_the_way_to_make_it(folder: Path) -> None:
    with pytest.raises(BusError, match=r"phone\.key_secret.*bindstream keys"):
        client_keys(folder, "phone")
    with pytest.raises(BusError, match=r"server\.key_secret"):
        server_keys(folder / "nowhere")


def test_a_public_file_in_place_of_a_secret_one_is_refused(folder: Path) -> None:
    (folder / "tablet.key_secret").write_bytes((folder / "clients/tablet.key").read_bytes())
    with pytest.raises(BusError, match=r"tablet\.key_secret holds no secret"):
        client_keys(folder, "tablet")


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff\xfe\0", b'curve\n    public-key = "short"\n']
)
def test_a_damaged_client_key_is_named_instead_of_locking_everyone_out(
    folder: Path, content: bytes
) -> None:
    (folder / "clients/tablet.key").write_bytes(content)
    with pytest.raises(BusError, match=r"tablet\.key"):
        server_keys(folder)
