"""The desk: answers control requests about queries, and knows what is watched for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import ray
from pydantic import ValidationError
from ray.exceptions import RayError

from bindstream.config import Config, QueryConfig
from bindstream.control import Answer, Request
from bindstream.errors import BindstreamError, ConfigError
from bindstream.matcher import Query
from bindstream.queries import check_heard, narrowed, taught_of
from bindstream.state import Notebook
from bindstream.teaching.taught import Taught
from nodes.encoding import QueryEncoder
from nodes.match_health import MatchHealth
from nodes.rule_desk import RuleDesk
from nodes.watched import Watched, reason

TOLD_S = 10.0
"""How long the match actor may take to take in a change."""
BEGIN_S = 60.0
"""How long it may take to begin: it reads what was kept of the last day."""


class QueryDesk:
    """Keeps a run's queries, and the match actor in step with them.

    Args:
        lock: held while queries change, so that nobody restarts the match actor meanwhile.
        warn: takes what the user should know.
        notebook: keeps what is said of queries and rules for the next start.
    """

    def __init__(
        self,
        config: Config,
        encoder: QueryEncoder,
        match: Watched[MatchHealth],
        lock: threading.RLock,
        warn: Callable[..., None],
        notebook: Notebook,
    ) -> None:
        self._notebook, self._paused = notebook, set[str]()
        self._config, self._encoder, self._match = config, encoder, match
        self._lock, self._warn = lock, warn
        self._queries: dict[str, Query] = {}
        self._begun: Any = None  # what the match actor is to answer
        self._begun_s = 0.0
        self.rules = RuleDesk(config, match, lock, lambda: list(self._queries), notebook)

    def encode(self) -> None:
        """Takes in the queries of the start. Blocks while they are encoded.

        Raises:
            BindstreamError: one of the configuration cannot be, or the state cannot be read.
        """
        start = self._notebook.start()
        self._warn(*start.notes)
        for each in start.queries:
            name = each.config.id
            try:
                taught = taught_of(each.config, each.sent.get("taught"))
                encoded, warnings = self._encoder.encode(
                    each.config, taught, each.sent.get("examples")
                )
                check_heard(encoded.config, self._config.streams)
            except BindstreamError as error:
                if each.is_filed:
                    raise
                self._warn(f"query {name!r}, given while running, is left out: {error}")
                continue
            self._queries[name] = encoded
            if each.paused:
                self._paused.add(name)
            self._warn(*warnings)
        self._warn(*self.rules.begin(start.rules))

    def begin_match(self, wait_s: float = BEGIN_S) -> None:
        """Tells the match actor, which just started, what to watch for. Blocks up to `wait_s`; to
        be called again as long as it says that it watches for nothing.

        Raises:
            BindstreamError: it died, failed, or took over `BEGIN_S`.
        """
        if self._begun is None:
            self._begun, self._begun_s = self._begin(), time.monotonic()
        done, _ = ray.wait([self._begun], timeout=wait_s)
        cannot = "alerts cannot be watched for"
        if done:
            self._begun = None
            try:
                ray.get(done[0])
            except RayError as error:
                raise BindstreamError(f"{cannot}: {reason(error)}", where="match") from None
        elif time.monotonic() - self._begun_s < BEGIN_S:
            self._match.excuse()  # it answers when it has read what was kept
        else:
            what = f"{cannot}: it did not begin within {BEGIN_S:.0f} s"
            raise BindstreamError(what, where="match")

    def _begin(self) -> Any:
        encoder = self._encoder
        queries = [q for name, q in self._queries.items() if name not in self._paused]
        history = self._config.history.path.absolute() if self._config.history else None
        return self._match.handle.begin.remote(
            encoder.background or {},
            encoder.phrases or {},
            queries,
            encoder.model,
            history,
            self.rules.rules,
            {stream.name: stream.modality for stream in self._config.streams},
        )

    def listed(self) -> list[dict[str, Any]]:
        """What is watched for, as plain data."""
        return [
            {**query.config.model_dump(mode="json"), "paused": name in self._paused}
            for name, query in self._queries.items()
        ]

    def answer(self, request: Request) -> Answer:
        """Answers query.list, .add, .remove, .pause, .resume, explain, and what rules answer.

        Raises:
            ConfigError: there is no such operation, or it cannot be done.
        """
        match request.get("op"):
            case "query.list":
                return {"queries": self.listed()}
            case "query.add":
                return self._add(request)
            case "query.remove":
                return self._remove(str(request.get("id")))
            case "query.pause":
                return self._pause(str(request.get("id")))
            case "query.resume":
                return self._resume(str(request.get("id")))
            case "explain":
                return self._explain(str(request.get("stream")))
            case _:
                return self.rules.answer(request)

    def _add(self, request: Request) -> Answer:
        config, taught = self._checked(request)
        self.rules.check_free(config.id)
        there = self._queries.get(config.id)
        if there is not None and not request.get("replace"):
            raise ConfigError(
                f"there is a query {config.id!r} already: {', '.join(there.config.shown)}.",
                fix="Give this one another id (--id), or replace that one (--replace).",
            )
        before = self._encoder.background
        # Not under the lock: the text tower may have to be read, and everyone is watched meanwhile.
        encoded, warnings = self._encoder.encode(config, taught, request.get("examples"))
        check_heard(encoded.config, self._config.streams)
        with self._lock:
            self._warn(*warnings)
            self._queries[config.id] = encoded
            if self._encoder.background is not before:  # it is the first query of words
                contrast = self._match.handle.contrast_with.remote(
                    self._encoder.background, self._encoder.phrases
                )
                warnings += self._match.tell(contrast, TOLD_S)
            sent = {"examples": request["examples"]} if request.get("examples") else {}
            if taught is not None:
                sent["taught"] = taught.model_dump(mode="json", exclude={"examples", "negatives"})
            self._paused.discard(config.id)
            warnings += self._notebook.added(config, sent)
            warnings += self._match.tell(self._match.handle.put.remote(encoded), TOLD_S)
        return {"id": config.id, "text": list(config.shown), "warnings": warnings}

    def _checked(self, request: Request) -> tuple[QueryConfig, Taught | None]:
        """A query from outside and what it was taught, held against the streams of this run."""
        try:
            config = QueryConfig.model_validate(request.get("query"))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(("query", *map(str, first["loc"])))
            raise ConfigError(f"{first['msg']}.", where=place) from None
        taught = taught_of(config, request.get("taught"))
        config = narrowed(config, taught)
        check_heard(config, self._config.streams)
        return config, taught

    def _explain(self, stream: str) -> Answer:
        """A stream's newest window in words; empty while there is none."""
        known = [each.name for each in self._config.streams]
        if stream not in known:
            fix = f"There are: {', '.join(known)}."
            raise ConfigError(f"there is no stream {stream!r}.", fix=fix)
        try:
            said = ray.get(self._match.handle.explain.remote(stream), timeout=TOLD_S)
        except RayError as error:
            fix = "Ask again in a moment: if it died it is restarted."
            raise BindstreamError(f"match does not answer: {reason(error)}", fix=fix) from None
        return {} if said is None else asdict(said)

    def _remove(self, query_id: str) -> Answer:
        with self._lock:
            self._known(query_id)
            self.rules.check_unused(query_id)
            del self._queries[query_id]
            self._paused.discard(query_id)
            warnings = self._notebook.removed(query_id)
            warnings += self._match.tell(self._match.handle.remove.remote(query_id), TOLD_S)
        return {"id": query_id, "warnings": warnings}

    def _pause(self, query_id: str) -> Answer:
        """The match actor forgets the query; its event ends."""
        with self._lock:
            self._known(query_id)
            self._paused.add(query_id)
            warnings = self._notebook.paused(query_id, on=True) + self.rules.lacking(query_id)
            warnings += self._match.tell(self._match.handle.remove.remote(query_id), TOLD_S)
        return {"id": query_id, "warnings": warnings}

    def _resume(self, query_id: str) -> Answer:
        """The match actor is given the query again; it learns from all that was heard meanwhile."""
        with self._lock:
            query = self._known(query_id)
            if query_id not in self._paused:
                raise ConfigError(f"query {query_id!r} is not paused.")
            self._paused.remove(query_id)
            warnings = self._notebook.paused(query_id, on=False)
            warnings += self._match.tell(self._match.handle.put.remote(query), TOLD_S)
        return {"id": query_id, "warnings": warnings}

    def _known(self, query_id: str) -> Query:
        if query_id not in self._queries:
            known = ", ".join(self._queries) or "none"
            raise ConfigError(f"there is no query {query_id!r}.", fix=f"There are: {known}.")
        return self._queries[query_id]
