"""Reading YAML together with the line of every value, so that problems can say where they are."""

from __future__ import annotations

import re
from typing import Any

import yaml

Where = tuple[str | int, ...]
MOST_BYTES = 512 * 1024
"""Bytes of a file: thousands of streams and queries, which take some seconds to read."""
PLACES_MOST = 200_000
"""Places in a file, what aliases stand for counted each time: a few lines of aliases of aliases
stand for billions."""


class YamlError(Exception):
    """Text that is not YAML, or says the same key twice. `line` starts at 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: only true and false are booleans, and `on:` is a key like any other.

    PyYAML follows YAML 1.1, where on, off, yes and no are booleans and 2024-01-01 is a date.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:  # !!int abc, a number of 5000 digits
            raise yaml.constructor.ConstructorError(
                None, None, f"this is no value ({error})", node.start_mark
            ) from None


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def parse(text: str) -> tuple[Any, dict[Where, int]]:
    """The data, and for each path in it the line (from 1) where it is written.

    Raises:
        YamlError: the text is not YAML or too much of it, or a mapping says a key twice.
    """
    if len(text) > MOST_BYTES:
        raise YamlError(1, f"it has more than {MOST_BYTES} characters")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            lines: dict[Where, int] = {}
            if node is None:
                return None, lines
            _walk(node, (), lines)
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, error.problem or str(error)) from error
    except yaml.YAMLError as error:
        raise YamlError(1, str(error)) from error
    except RecursionError:
        raise YamlError(1, "an anchor holds itself, or it is nested too deeply") from None


def _walk(node: yaml.Node, path: Where, lines: dict[Where, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if len(lines) > PLACES_MOST:
        raise YamlError(node.start_mark.line + 1, f"it says more than {PLACES_MOST} things")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(key.start_mark.line + 1, "a key must be a word")
            here = (*path, str(key.value))
            if here in lines:
                raise YamlError(
                    key.start_mark.line + 1,
                    f"{key.value!r} was said before, on line {lines[here]}",
                )
            lines[here] = key.start_mark.line + 1
            _walk(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _walk(value, (*path, i), lines)
