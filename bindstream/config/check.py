"""Loading a configuration, and saying everything that is wrong with it at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bindstream.config.bus import BusConfig
from bindstream.config.evidence import EvidenceConfig
from bindstream.config.history import history_problems
from bindstream.config.known_keys import kinds_at, place_in, suggestion
from bindstream.config.metrics import metrics_problems
from bindstream.config.paths import missing_paths, resolve_paths, resolved
from bindstream.config.places import (
    place_problems,
    sink_problems,
    unusable_file,
    unusable_folder,
)
from bindstream.config.problem import Problem, Severity
from bindstream.config.query import SILENCE_S, QueryConfig
from bindstream.config.record import record_problems
from bindstream.config.recordings import recording_problems
from bindstream.config.rules_check import rule_problems
from bindstream.config.schema import (
    Config,
    ModelConfig,
    StreamConfig,
    Where,
    find_clashes,
)
from bindstream.config.state import StateConfig
from bindstream.config.sums import sum_problems
from bindstream.config.yaml_text import MOST_BYTES, YamlError, parse
from bindstream.errors import ConfigError, DataError, ModelError
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.models import model_directory
from bindstream.models.directory import read_spec
from bindstream.sources.registry import KINDS
from bindstream.teaching.taught import read_taught

_FIXES = {
    "open_bus": "Make keys with `bindstream keys DIR` and set `keys: DIR`, or listen on 127.0.0.1.",
    "endpoint": "Write it like tcp://127.0.0.1:5560.",
    "missing": "Add it.",
}
M = TypeVar("M", bound=BaseModel)


def load_config(path: str | Path, *, played: bool = True) -> Config:
    """The configuration in a YAML file; relative paths in it start from the file's folder.

    Args:
        played: look into the recordings that streams play, which can take a while.

    Raises:
        ConfigError: it cannot be run; lists every problem with its line and the way out.
    """
    config, problems = _examine(Path(path), played=played)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or config is None:
        count = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
        raise ConfigError(
            f"{count}:\n" + "\n".join(f"  {problem}" for problem in errors), where=str(path)
        )
    return config


def check_config(path: str | Path) -> list[Problem]:
    """Everything wrong with a YAML file, warnings included, in the order of its lines."""
    return _examine(Path(path), played=True)[1]


def json_schema() -> dict[str, Any]:
    """JSON Schema of a configuration, for editors."""
    schema = Config.model_json_schema()
    # A stream's modality follows from its source, so the file need not say it.
    schema["$defs"]["StreamConfig"]["required"] = ["name", "source"]
    query = schema["$defs"]["QueryConfig"]
    query.pop("required", None)
    query["anyOf"] = [{"required": [key]} for key in ("text", "like", "plus", "taught")]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _examine(path: Path, *, played: bool) -> tuple[Config | None, list[Problem]]:
    try:
        with path.open("rb") as file:  # no more of it than can be taken in
            content = file.read(MOST_BYTES + 1)
        cut = len(content) > MOST_BYTES  # perhaps within a letter
        data, lines = parse(content.decode("utf-8", "replace" if cut else "strict"))
    except OSError as error:
        fix = "Check the path."
        return None, [Problem(str(path), 1, "", None, f"cannot be read: {error.strerror}", fix)]
    except UnicodeDecodeError:
        return None, [Problem(str(path), 1, "", None, "is not UTF-8 text", "Save it as UTF-8.")]
    except YamlError as error:
        return None, [Problem(str(path), error.line, "", None, f"is not valid YAML: {error}")]
    if not isinstance(data, dict):
        fix = "Begin with `streams:`; see configs/ for examples."
        return None, [Problem(str(path), 1, "", data, "must hold a mapping of sections", fix)]
    return _Examination(path, data, lines, played=played).run()


class _Examination:
    """One pass over one file's data."""

    def __init__(
        self, path: Path, data: dict[str, Any], lines: dict[Where, int], *, played: bool
    ) -> None:
        self._path, self._data, self._lines, self._played = path, data, lines, played
        self._problems: list[Problem] = []

    def run(self) -> tuple[Config | None, list[Problem]]:
        config: Config | None = None
        try:
            config = resolve_paths(Config.model_validate(self._data), self._path.parent)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=True):
                if not self._follows_from_another(detail):
                    self._add_invalid(detail)
        # The valid parts are looked at even if others are not: every problem shows at once.
        streams = list(self._valid("streams", StreamConfig))
        queries = list(self._valid("queries", QueryConfig))
        names = self._invalid_names({i for i, _ in streams})
        for where, what in find_clashes(streams, queries, names):
            self._add(where, what)
        for i, stream in streams:
            self._warn_of_window(i, stream)
        self._check_paths(streams, queries)
        modality_of = {**dict.fromkeys(names), **{s.name: s.modality for _, s in streams}}
        for where, what, fix, severity in rule_problems(self._data, queries, modality_of):
            self._add(where, what, fix, severity)
        given = self._data, self._path.parent
        for where, what, fix, severity in (
            *history_problems(*given),
            *metrics_problems(self._data),
            *record_problems(*given),
            *place_problems(*given, "evidence", EvidenceConfig, unusable_folder),
            *place_problems(*given, "state", StateConfig, unusable_file),
            *sink_problems(*given),
            *(recording_problems(streams, self._path.parent) if self._played else ()),
        ):
            self._add(where, what, fix, severity)
        self._check_model(streams, queries)
        self._problems.sort(key=lambda problem: problem.line)
        return config, self._problems

    def _add(self, where: Where, what: str, fix: str = "", severity: Severity = "error") -> None:
        known = where
        while known not in self._lines and known:
            known = known[:-1]
        value = _value_at(self._data, where)
        shown = None if isinstance(value, (dict, list)) else value
        self._problems.append(
            Problem(
                file=str(self._path),
                line=self._lines.get(known, 1),
                path=_dotted(where),
                value=shown,
                what=what,
                fix=fix,
                severity=severity,
            )
        )

    def _follows_from_another(self, detail: ErrorDetails) -> bool:
        """True if another problem says it better."""
        if detail["type"] == "missing" and detail["loc"][-1] == "modality":
            source = _value_at(self._data, (*detail["loc"][:-1], "source"))
            return not (isinstance(source, dict) and source.get("kind") in list(KINDS))
        if detail["type"] == "too_short":  # counted without the items that are invalid themselves
            return bool(_value_at(self._data, detail["loc"]))
        return detail["type"] == "clash"

    def _add_invalid(self, detail: ErrorDetails) -> None:
        loc, kind = detail["loc"], detail["type"]
        where = place_in(self._data, loc, absent=kind == "missing")
        fix = _FIXES.get(kind, "")
        what = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
        what = what[0].lower() + what[1:]
        if kind == "extra_forbidden":
            what, fix = "unknown key", suggestion(str(loc[-1]), loc[:-1])
        elif kind == "missing":
            what = "is required"
            if where[-1:] == ("modality",):
                fix = f"Say which this source is to be: {', '.join(SENSORS)}."
        elif kind in ("model_type", "model_attributes_type", "dict_type"):
            what = "must be a mapping of keys to values"
        elif kind == "too_short":
            what = "must not be empty"
        elif kind == "union_tag_not_found":
            what, fix = "is required", f"Choose one of {kinds_at(where)}."
            where = (*where, "kind")
        elif kind == "union_tag_invalid":
            what, fix = "unknown kind", f"Known kinds: {kinds_at(where)}."
            where = (*where, "kind")
        self._add(where, what, fix)

    def _valid(self, section: str, model: type[M]) -> Iterator[tuple[int, M]]:
        items = self._data.get(section)
        for i, item in enumerate(items if isinstance(items, list) else ()):
            try:
                yield i, model.model_validate(item)
            except ValidationError:
                continue

    def _invalid_names(self, valid: set[int]) -> list[str]:
        items = self._data.get("streams")
        rest = [s for i, s in enumerate(items) if i not in valid] if isinstance(items, list) else []
        names = [item.get("name") for item in rest if isinstance(item, dict)]
        return [name for name in names if isinstance(name, str)]

    def _warn_of_window(self, i: int, stream: StreamConfig) -> None:
        modality = MODALITIES[stream.modality]
        window_s = stream.window_s or modality.window_s
        hop_s = stream.hop_s or modality.hop_s
        if stream.modality in ("audio", "imu") and window_s != modality.window_s:
            self._add(
                ("streams", i, "window_s"),
                f"the {stream.modality} tower was made for windows of {modality.window_s:g} s",
                "Leave it out unless your model takes other windows.",
                "warning",
            )
        if hop_s > 10 * window_s:
            self._add(("streams", i, "hop_s"), "is more than ten windows", "Choose a shorter hop.")
        elif hop_s - window_s >= SILENCE_S:
            what = (
                f"leaves {hop_s - window_s:g} s between windows: an event ends after "
                f"{SILENCE_S:g} s of silence, so that each window is an event of its own"
            )
            self._add(("streams", i, "hop_s"), what, "Choose a shorter hop.", "warning")
        elif hop_s > window_s:
            what = f"is longer than the window ({window_s:g} s): what lies between is not looked at"
            self._add(("streams", i, "hop_s"), what, "", "warning")

    def _check_paths(
        self, streams: list[tuple[int, StreamConfig]], queries: list[tuple[int, QueryConfig]]
    ) -> None:
        sections: list[tuple[Where, BaseModel]] = [
            (("streams", i, "source"), stream.source) for i, stream in streams
        ]
        sections += [(("queries", i), query) for i, query in queries]
        for name, model in (("model", ModelConfig), ("bus", BusConfig)):
            with contextlib.suppress(ValidationError):
                sections.append(((name,), model.model_validate(self._data.get(name, {}))))
        for where, section in sections:
            for key, path in missing_paths(section, self._path.parent):
                self._add_missing((*where, key), path)

    def _check_model(
        self, streams: list[tuple[int, StreamConfig]], queries: list[tuple[int, QueryConfig]]
    ) -> None:
        try:
            stated = ModelConfig.model_validate(self._data.get("model", {}))
        except ValidationError:
            return
        where = ("model", "name")
        if any(problem.path == _dotted(where) for problem in self._problems):
            return
        try:
            spec = read_spec(model_directory(resolved(stated, self._path.parent).name))
        except ModelError as error:
            self._add(where, error.what.rstrip("."), error.fix)
            return
        for i, stream in streams:
            if stream.modality not in spec.towers:
                what = f"the model {spec.name} has no tower for {stream.modality}"
                self._add(("streams", i), what, f"It has: {', '.join(spec.towers)}.")
        if "text" not in spec.towers and any(query.texts for _, query in queries):
            what = f"the model {spec.name} has no tower for text, which queries of words need"
            fix = "Leave them out, teach them by examples, or import the model with text."
            self._add(("queries",), what, fix)
        for i, query in queries:
            self._check_taught(i, query, streams, spec.fingerprint)
            there = resolved(query, self._path.parent)
            heard = [s.modality for _, s in streams if s.name in (query.streams or (s.name,))]
            kept = self._data.get("history") is not None
            for key, what, fix in sum_problems(there, heard, dim=spec.dim, kept=kept):
                self._add(("queries", i, key), what, fix)

    def _check_taught(
        self, i: int, query: QueryConfig, streams: list[tuple[int, StreamConfig]], model: str
    ) -> None:
        """That a taught query is there and whole, of this model, and of what it listens to."""
        path = resolved(query, self._path.parent).taught
        if path is None or not os.path.exists(path):  # which is a problem of its own
            return
        where = ("queries", i, "taught")
        try:
            taught = read_taught(path)
            taught.check_model(model, str(path))
        except (DataError, ModelError) as error:
            self._add(where, error.what.rstrip("."), error.fix)
            return
        heard = {s.modality for _, s in streams if query.streams is None or s.name in query.streams}
        heard &= set(query.modalities or heard)
        if heard and taught.modality not in heard:
            what = f"is of {taught.modality}, and this query listens to {', '.join(sorted(heard))}"
            self._add(where, what, "Teach it by recordings of what it listens to.")

    def _add_missing(self, where: Where, path: Path) -> None:
        fix = f"Relative paths start from {self._path.parent.resolve()}."
        self._add(where, f"there is no {path}", fix)


def _value_at(data: Any, where: Where) -> Any:
    for part in where:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _dotted(where: Where) -> str:
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
