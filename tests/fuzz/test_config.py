"""Configurations of any kind: what is wrong is said with its place, soon, in bounded memory."""

from __future__ import annotations

import copy
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindstream.config import check_config, load_config
from bindstream.config.yaml_text import MOST_BYTES, YamlError, parse
from bindstream.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "configs").glob("*.yaml"))
SECTIONS = ["streams", "model", "bus", "ray", "queries", "rules", "sinks", "history", "evidence"]
KEYS = [
    *("name", "source", "kind", "text", "like", "plus", "minus", "taught", "id", "path", "budget"),
    *("hop_s", "window_s", "url", "device", "file", "any", "none", "sequence", "silent_s"),
    *("reading", "above", "streams", "modalities", "negatives", "keys", "address", "gate"),
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["scene", "camera", "audio", "1/day", "~nobody/x", "\0", "a" * 5000, "0*rain"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
documents = st.dictionaries(st.sampled_from(SECTIONS) | st.text(max_size=4), values, max_size=5)


def said_with_its_place(path: Path) -> None:
    """Either it runs, or each problem has a line of the file and says something."""
    problems = check_config(path)
    lines = len(path.read_bytes().splitlines()) + 1
    for problem in problems:
        assert 1 <= problem.line <= lines
        assert problem.what
        assert len(str(problem)) < 20_000
    if any(problem.severity == "error" for problem in problems):
        with pytest.raises(ConfigError, match="problem"):
            load_config(path)
    else:
        load_config(path)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written") / "config.yaml"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents)
def test_any_document_is_judged(path: Path, document: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    said_with_its_place(path)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200) | st.text("{}[]:-&*!?|>%@,'\"# \n\tab01~<", max_size=60).map(str.encode)
)
def test_any_bytes_are_judged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    said_with_its_place(path)


BROKEN = {
    "too_deep": "[" * 5000,
    "deep_and_closed": "streams: " + "[" * 900 + "]" * 900,
    "holds_itself": "streams: &a [*a]",
    "a_key_of_its_own": "streams: &a {x: *a}",
    "long_number": "model: " + "9" * 5000,
    "no_number": "model: !!int abc",
    "no_float": "model: !!float abc",
    "no_day": "model: !!timestamp 2024-99-99",
    "no_bytes": "model: !!binary 'a'",
    "code": "model: !!python/object/apply:os.system ['true']",
    "list_as_key": "? [1, 2]\n: 3",
    "number_as_key": "1: 2",
    "nothing_as_key": "~: 2",
    "not_finite": "model: {wait_ms: .nan}\n"
    "streams: [{name: a, source: {kind: scene}, hop_s: .inf}]",
    "tab": "streams:\n\t- a",
    "control": "streams: \x01",
    "two": "a: 1\n---\nb: 2",
    "twice": "streams: []\nstreams: []",
    "surrogate": 'model: "\\ud800"',
    "long_name": f"model: {{name: {'a' * 9000}}}",
    "long_paths": "history: {path: X}\nstate: {path: X}\nevidence: {path: X}\nbus: {keys: X}\n"
    "sinks: [{kind: jsonl, path: X}]\nqueries: [{like: [/X.wav]}, {taught: X}]".replace(
        "X", "a" * 5000
    ),
    "no_paths": 'history: {path: "\\0"}\nstate: {path: "\\0"}\nmodel: {name: "\\0/"}\n'
    'sinks: [{kind: jsonl, path: "\\0"}]\nqueries: [{like: ["\\0.wav"], taught: "\\0"}]',
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_is_refused(path: Path, name: str) -> None:
    path.write_text(BROKEN[name], encoding="utf-8")
    assert check_config(path)
    said_with_its_place(path)


def test_what_is_no_utf_8_is_refused(path: Path) -> None:
    path.write_bytes("streams: [café]".encode("latin-1"))
    (problem,) = check_config(path)
    assert "UTF-8" in problem.what


def bombs() -> Iterator[tuple[str, str]]:
    tens = ",".join(["*a{0}"] * 10)
    laughs = [f"a{i}: &a{i} [{tens.format(i - 1)}]" for i in range(1, 12)]
    merges = [f"a{i}: &a{i}\n  <<: [{tens.format(i - 1)}]" for i in range(1, 12)]
    yield "laughs", "\n".join(["a0: &a0 [x]", *laughs])
    yield "merges", "\n".join(["a0: &a0 {x: 1}", *merges])
    yield "large", "# " + "x" * (20 << 20)
    yield "half_a_letter", "# " + "é" * MOST_BYTES
    yield "brackets", "[" * (20 << 20)
    yield "many", "streams: [" + "1," * 30_000 + "]"


@pytest.mark.parametrize(("name", "text"), list(bombs()), ids=[name for name, _ in bombs()])
def test_bombs_go_off_in_bounded_memory_and_soon(path: Path, name: str, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from bindstream.config import check_config\n"
        "def most():  # not getrusage: that goes on from the process which started this one\n"
        "    status = Path('/proc/self/status').read_text()\n"
        "    return int(re.findall(r'VmHWM:\\s+(\\d+)', status)[0]) // 1024\n"
        "first = most()\n"
        "assert check_config(sys.argv[1])\n"
        "print(most() - first)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=100,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 300  # MiB


def test_more_than_anybody_writes_is_said_as_that() -> None:
    with pytest.raises(YamlError, match="more than 200000 things"):
        parse(dict(bombs())["laughs"])
    with pytest.raises(YamlError, match="characters"):
        parse(" " * (MOST_BYTES + 1))


def changed(data: Any, rng: random.Random) -> Any:
    """A configuration of which one value was taken away, retyped or misspelt."""
    data = copy.deepcopy(data)
    places: list[tuple[Any, Any]] = []

    def walk(inner: Any) -> None:
        for key in inner if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], (dict, list)):
                walk(inner[key])

    walk(data)
    inner, key = rng.choice(places)
    kind = rng.choice(("gone", "misspelt", "retyped", "retyped", "retyped"))
    if kind == "gone":
        del inner[key]
    elif kind == "misspelt" and isinstance(key, str):
        inner[key[:-1] + "x"] = inner.pop(key)
    else:
        inner[key] = rng.choice(
            (None, True, -1, 0, 1e308, float("nan"), "", "x", "~nobody/x", [], [[]], {}, {"a": 1})
        )
    return data


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_with_one_value_spoilt_are_judged(example: Path, tmp_path: Path) -> None:
    rng = random.Random(example.name)
    data, _ = parse(example.read_text(encoding="utf-8"))
    path = tmp_path / "config.yaml"
    for _ in range(12):
        path.write_text(yaml.safe_dump(changed(data, rng)), encoding="utf-8")
        said_with_its_place(path)
