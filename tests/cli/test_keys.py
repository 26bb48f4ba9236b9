from __future__ import annotations

from pathlib import Path

from bindstream.keys import client_keys, server_keys
from tests.cli.conftest import Command


def test_keys_are_made_once_and_kept(bindstream: Command, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = bindstream("keys", folder, "tablet")
    assert made.code == 0
    assert len(made.out.split()) == 6
    assert client_keys(folder, "tablet").server == server_keys(folder).public
    before = client_keys(folder, "tablet")
    again = bindstream("keys", folder, "tablet")
    assert "already" in again.out
    assert client_keys(folder, "tablet") == before


def test_secret_keys_are_for_their_owner_alone(bindstream: Command, tmp_path: Path) -> None:
    bindstream("keys", tmp_path / "keys")
    secrets = list((tmp_path / "keys").rglob("*.key_secret"))
    assert len(secrets) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


def test_a_name_that_is_a_path_is_refused(bindstream: Command, tmp_path: Path) -> None:
    refused = bindstream("keys", tmp_path / "keys", "../evil")
    assert refused.code == 2
    assert "../evil" in refused.err
    assert not (tmp_path / "keys").exists()
