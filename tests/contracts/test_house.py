"""The house: which room may import what, no import circles, no file too long to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 330
TORCH_ROOMS = ("bindstream.models", "bindstream.training", "bindstream.doctor")
"""Everything else must run on a machine without torch."""
OPTIONAL = {
    "av",
    "cv2",
    "foxglove_schemas_protobuf",
    "h5py",
    "kaldi_native_fbank",
    "lancedb",
    "matplotlib",
    "mcap",
    "mcap_protobuf",
    "psutil",
    "pyarrow",
    "safetensors",
    "scipy",
    "serial",
    "sounddevice",
    "soundfile",
    "soxr",
    "tokenizers",
    "torch",
    "zstandard",
}
"""Packages of the extras: outside of models and training they are imported where they are used."""


@dataclass(frozen=True)
class Import:
    """One import: the whole dotted name, and whether it runs as soon as its module is imported."""

    name: str
    at_once: bool

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]


def modules() -> dict[str, Path]:
    """Every module of the rooms by its dotted name."""
    found = {}
    for room in ("bindstream", "nodes"):
        for path in (ROOT / room).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


@cache
def imports(module: str) -> tuple[Import, ...]:
    """What a module imports; what stands under TYPE_CHECKING never runs and is left out."""
    return tuple(_imports(ast.parse(MODULES[module].read_text()), at_once=True))


def _imports(node: ast.AST, *, at_once: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, at_once) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are written out in full"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                yield Import(whole if whole in MODULES else str(child.module), at_once)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _imports(ast.Module([other], []), at_once=at_once)
        else:
            later = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _imports(child, at_once=at_once and not later)


def within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def test_the_library_starts_no_nodes_but_for_its_command_line() -> None:
    strays = [
        (module, found.name)
        for module in MODULES
        if within(module, ("bindstream",)) and not within(module, ("bindstream.cli",))
        for found in imports(module)
        if found.package in ("ray", "nodes")
    ]
    assert strays == []


def test_nodes_only_move_things() -> None:
    heavy = ("numpy", "torch", "cv2", "zmq")
    strays = [
        (module, found.name)
        for module in MODULES
        if within(module, ("nodes",))
        for found in imports(module)
        if found.package in heavy
    ]
    assert strays == []


def test_torch_stays_with_the_models() -> None:
    strays = [
        module
        for module in MODULES
        if not within(module, TORCH_ROOMS)
        and any(found.package == "torch" for found in imports(module))
    ]
    assert strays == []


def test_packages_of_extras_are_imported_where_they_are_used() -> None:
    strays = [
        (module, found.name)
        for module in MODULES
        if not within(module, TORCH_ROOMS)
        for found in imports(module)
        if found.at_once and found.package in OPTIONAL
    ]
    assert strays == []


@pytest.mark.parametrize("package", ["torchvision", "torchaudio", "timm"])
def test_packages_that_jetsons_lack_are_used_nowhere(package: str) -> None:
    assert not [m for m in MODULES if any(found.package == package for found in imports(m))]


def test_training_is_needed_by_nothing_but_the_command_line_and_there_not_at_once() -> None:
    strays = [
        (module, found.name)
        for module in MODULES
        if not within(module, ("bindstream.training",))
        for found in imports(module)
        if within(found.name, ("bindstream.training",))
        and (found.at_once or not within(module, ("bindstream.cli",)))
    ]
    assert strays == []


def test_no_imports_run_in_a_circle() -> None:
    left = {
        module: {found.name for found in imports(module) if found.at_once} & set(MODULES)
        for module in MODULES
    }
    while free := {module for module, needs in left.items() if not needs & set(left)}:
        for module in free:
            del left[module]
    assert left == {}


def test_no_file_is_too_long_to_read() -> None:
    lines = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {m: n for m, n in lines.items() if n > MOST_LINES} == {}
