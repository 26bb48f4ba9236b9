from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Command

COMMANDS = (
    ["run"],
    ["demo"],
    ["listen"],
    ["status"],
    ["query", "add"],
    ["query", "list"],
    ["query", "remove"],
    ["teach"],
    ["embed"],
    ["model", "import"],
    ["model", "info"],
    ["model", "list"],
    ["model", "verify"],
    ["check"],
    ["schema"],
    ["devices"],
    ["doctor"],
    ["keys"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example(bindstream: Command, command: list[str]) -> None:
    shown = bindstream(*command, "--help")
    assert shown.code == 0
    assert "Example" in shown.out
    assert f"bindstream {' '.join(command)}" in shown.out


def test_help_states_the_exit_codes_and_all_commands(bindstream: Command) -> None:
    shown = bindstream("--help")
    assert shown.code == 0
    assert "Exit codes" in shown.out
    assert all(command[0] in shown.out for command in COMMANDS)


def test_wrong_usage_is_exit_code_2(bindstream: Command) -> None:
    assert bindstream("run").code == 2
    assert bindstream("rum").code == 2


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'ray', 'cv2', 'numpy', 'pydantic', 'zmq'}"
    code = f"import bindstream.cli, sys; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
