"""Addresses of devices as they may be shown: without the credentials in them."""

from __future__ import annotations

from urllib.parse import urlsplit


def redacted(url: str) -> str:
    """`url` without user, password and query, for errors and logs.

    Cameras take passwords in all three places; what is left still says which camera it is.
    """
    parts = urlsplit(url)
    credentials, at, host = parts.netloc.rpartition("@")
    query = "?***" if parts.query else ""
    return f"{parts.scheme}://{'***@' if at and credentials else ''}{host}{parts.path}{query}"
