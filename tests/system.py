"""What tests need of the system beside Python: skip by name, or fail where it must be there."""

from __future__ import annotations

import os

import pytest

REQUIRED = "BINDSTREAM_REQUIRE_SYSTEM"


def require(package: str, present: bool) -> None:
    """Skip the calling test, naming the Debian package, unless it is `present`.

    Where the environment sets BINDSTREAM_REQUIRE_SYSTEM=1 the test fails instead, so that a
    machine that is meant to run everything cannot silently run less.
    """
    if present:
        return
    message = f"needs the Debian package {package}: apt-get install {package}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(message)
    pytest.skip(message)
