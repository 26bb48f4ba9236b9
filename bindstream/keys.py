"""CURVE keys: who may publish to and subscribe from a bus beyond this machine.

A key folder holds `server.key` (public), `server.key_secret`, and in `clients/` one public key for
every client that is let in; each client also gets its own `NAME.key_secret` to carry along.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bindstream.errors import BusError

OWN_CLIENT = "bindstream"
"""The client whose key the pipeline's own nodes use."""
Z85_LENGTH = 40
"""Characters of a CURVE key as text (32 bytes in Z85)."""


@dataclass(frozen=True)
class ClientKeys:
    """What a client needs: the server's public key and its own pair (Z85, 40 bytes each)."""

    server: bytes
    public: bytes
    secret: bytes


@dataclass(frozen=True)
class ServerKeys:
    """What the bus needs: its own pair, and the folder of public keys that are let in."""

    public: bytes
    secret: bytes
    clients: Path


def make_keys(folder: Path, clients: list[str]) -> list[Path]:
    """Make the server's pair and one pair a client; existing keys are kept.

    Secret files are readable by their owner alone. Returns the files made.
    """
    from zmq.auth import create_certificates

    made: list[Path] = []
    (folder / "clients").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    names = ["server", OWN_CLIENT, *clients]
    for name in names:
        home = folder if name == "server" else folder / "clients"
        if (home / f"{name}.key").exists():
            continue
        public, secret = (Path(p) for p in create_certificates(str(home), name))
        secret.chmod(0o600)  # pyzmq leaves it readable by everyone
        if name != "server":
            secret = secret.rename(folder / secret.name)
        made += [public, secret]
    return made


def server_keys(folder: Path) -> ServerKeys:
    public, secret = _load(folder / "server.key_secret")
    for client in (folder / "clients").glob("*.key"):
        _load(client, secret=False)  # one that cannot be read would lock everyone out, unsaid
    return ServerKeys(public, secret, folder / "clients")


def client_keys(folder: Path, name: str = OWN_CLIENT) -> ClientKeys:
    public, secret = _load(folder / f"{name}.key_secret")
    server, _ = _load(folder / "server.key", secret=False)
    return ClientKeys(server, public, secret)


def _load(path: Path, *, secret: bool = True) -> tuple[bytes, bytes]:
    from zmq.auth import load_certificate

    fix = f"Make keys with `bindstream keys {path.parent}`."
    try:
        public_key, secret_key = load_certificate(str(path))
    except (OSError, ValueError) as error:
        raise BusError(f"no usable key in {path} ({error}).", fix=fix) from None
    if secret and secret_key is None:
        raise BusError(f"{path} holds no secret key.", fix=fix)
    for key in (public_key, secret_key):
        if key is not None and len(key) != Z85_LENGTH:
            raise BusError(f"a key in {path} is not {Z85_LENGTH} characters long.", fix=fix)
    return public_key, secret_key or b""
