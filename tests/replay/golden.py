"""Golden replays: recordings that lie here, what came of them once, and what comes of them now.

`python -m tests.replay.update` makes both anew; read its differences before you keep them.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bindstream import Embedding, Pipeline
from bindstream.config import Config
from bindstream.recording import Recording
from bindstream.replay.plan import plan
from bindstream.replay.transcript import Transcript
from tests.replay.material import SECOND_NS, START_NS, missing, record, sensed, set_back

HERE = Path(__file__).parent
RECORDINGS, GOLDEN = HERE / "recordings", HERE / "golden"
UPDATE = "python -m tests.replay.update"
ABSOLUTE, RELATIVE = 0.02, 0.01
"""Floats may differ by so much, or by this part: other processors round otherwise, and z divides by
a spread that is small."""
HEAD = 8
"""Components of a window's vector that are kept."""

_EVENTS = [
    {"kind": "dog", "at_s": 24, "length_s": 6},
    {"kind": "fire", "at_s": 31, "length_s": 8},
    {"kind": "falling", "at_s": 34, "length_s": 5},
    {"kind": "smoke_alarm", "at_s": 36, "length_s": 7},
]


def _config(streams: dict[str, dict[str, Any]], **sections: Any) -> Config:
    stated = [{"name": n, "source": {"kind": "scene"}, **more} for n, more in streams.items()]
    return Config.model_validate({"streams": stated, **sections})


CONFIGS = {
    # Five sensors perceive the same; two are interrupted, one of them for long enough to be said.
    "house": _config(
        {
            "mic": {"modality": "audio"},
            "camera": {"modality": "vision", "gate": True},
            "heat": {"modality": "thermal"},
            "deep": {"modality": "depth"},
            "wrist": {"modality": "imu"},
        },
        queries=[
            {"id": "dog", "text": ["dog barking", "a dog"]},
            {"id": "fire", "text": ["fire", "flames"]},
            {"id": "falling", "text": ["falling down", "a person falls"], "modalities": "imu"},
            {"id": "smoke", "text": "smoke alarm", "modalities": "audio"},
        ],
        rules=[
            {"id": "danger", "all": ["fire", "smoke"], "within_s": 20},
            {"id": "hot", "reading": "max_c", "above": 60},
            {"id": "deaf", "silent_s": 4},
        ],
    ),
    # A sensor whose clock is set back, and one that falls silent for good.
    "faults": _config(
        {
            "wrist": {"modality": "imu"},
            "door": {"modality": "depth"},
            "attic": {"modality": "audio", "window_s": 2, "hop_s": 0.5},
        },
        queries=[
            {"id": "falling", "text": "a person falls", "streams": ["wrist"]},
            {"id": "alarm", "text": "smoke alarm", "streams": ["attic"], "cooldown_s": 1},
        ],
        rules=[{"id": "gone", "silent_s": 6, "streams": ["door", "wrist"]}],
    ),
}


def make(name: str) -> None:
    """Make a recording anew, in one file."""
    config, none = CONFIGS[name], missing(0, 0)
    if name == "house":
        seed, length_s, events = 5, 46.0, _EVENTS
        faults = {"mic": missing(12, 13.2), "wrist": missing(14, 20)}
    else:
        seed, length_s, faults = 8, 30.0, {"wrist": set_back(20, 8), "door": missing(17, 1e9)}
        events = [
            {"kind": "falling", "at_s": 14, "length_s": 5},
            {"kind": "smoke_alarm", "at_s": 16, "length_s": 6},
        ]
    for old in (RECORDINGS / name).glob("*.mcap"):
        old.unlink()
    record(
        RECORDINGS / name,
        config,
        {
            s.name: faults.get(s.name, none)(sensed(s.name, s.modality, seed, length_s, events))
            for s in config.streams
        },
    )


def played(name: str) -> dict[str, Any]:
    """What comes of a recording: a line a window, with the head of its vector, and an alert."""
    with Recording(RECORDINGS / name) as recording:
        planned = plan(recording, threads=1)
    file = io.BytesIO()
    heads: dict[tuple[str, int], list[float]] = {}
    for one in Pipeline(planned.config, Transcript(file, windows=True)):
        if isinstance(one, Embedding):
            heads[one.stream, one.seq] = [round(float(x), 4) for x in one.vector[:HEAD]]
    found: dict[str, Any] = {"windows": [], "alerts": []}
    for line in map(json.loads, file.getvalue().splitlines()):
        kind = line.pop("kind")
        if kind == "window":
            del line["vector"]
            line["head"] = heads.get((line["stream"], line["seq"]))
        found[f"{kind}s"].append(_short(line))
    return found


def _short(line: dict[str, Any]) -> dict[str, Any]:
    """Times as seconds from the beginning, so that people can read them."""
    return {
        key.removesuffix("_ns") + "_s" if key.endswith("_ns") else key: (
            (value - START_NS) / SECOND_NS if key.endswith("_ns") else value
        )
        for key, value in line.items()
        if key != "model"
    }


def golden(name: str) -> dict[str, Any]:
    """What came of a recording when it was last looked at."""
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return found


def keep(name: str, found: dict[str, Any]) -> None:
    """What comes of a recording from now on: a line a window or an alert."""
    sections = []
    for section, lines in found.items():
        body = ",\n".join(json.dumps(line, sort_keys=True) for line in lines)
        sections.append(f'"{section}": [\n{body}\n]')
    (GOLDEN / f"{name}.json").write_text("{" + ",\n".join(sections) + "}\n")


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two differ, as in "alerts[2].peak_z: 4.21 -> 4.35"."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key, "nothing"), after.get(key, "nothing"), inner)
    elif isinstance(before, list) and isinstance(after, list):
        for i in range(max(len(before), len(after))):
            old, new = (side[i] if i < len(side) else "nothing" for side in (before, after))
            yield from differences(old, new, f"{path}[{i}]")
    elif not _same(before, after):
        yield f"{path}: {_brief(before)} -> {_brief(after)}"


def _same(before: Any, after: Any) -> bool:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (before, after))
    if numbers and not (isinstance(before, int) and isinstance(after, int)):
        return math.isclose(before, after, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(before == after)


def _brief(value: Any) -> str:
    said = json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)
    return said if len(said) <= 120 else f"{said[:117]}..."
