"""bindstream backtest --rule: the queries of a rule as they stand, on what the history holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bindstream.cli.app import errors, warn
from bindstream.cli.trying import Contrasts, read_model
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.backtest import Tried
    from bindstream.combine.past import Past
    from bindstream.config import Config, QueryConfig
    from bindstream.config.rule import CombinedRule
    from bindstream.history.reader import History
    from bindstream.history.search import Scope
    from bindstream.matcher import Query
    from bindstream.models.encoder import Model
    from bindstream.models.precision import Precision
    from bindstream.state.standing import Standing, Start


def try_rule(
    rule_id: str,
    config: Path | None,
    folder: Path | None,
    scope: Scope,
    *,
    budget: str | None,
    model: str | None,
    device: str,
    precision: Precision,
    threads: int | None,
) -> tuple[Tried, QueryConfig]:
    """Tries a rule, and says what its events have to be. Blocks.

    Args:
        folder: of the history, else that of the configuration.
        scope: the time.
        budget: in place of the rule's own.
        device, precision, threads: as `load_model` takes them.

    Raises:
        ConfigError: there is no such rule over queries.
        HistoryError: too little was kept of what its queries watch.
    """
    from bindstream.backtest import backtest_rule
    from bindstream.cli.search import history_of
    from bindstream.combine.drawn import DrawnLevel
    from bindstream.config import load_config
    from bindstream.errors import HistoryError

    if config is None:
        fix = "Name the configuration: -c home.yaml."
        raise ConfigError("what the rule is made of is not known.", where="--rule", fix=fix)
    loaded = load_config(config, played=False)
    kept, configured = history_of(config, folder)
    start = _start(loaded)
    rule = _rule(start, rule_id, budget)
    members = [each for each in start.queries if each.config.id in rule.members]
    wanted = [each.config for each in members]
    load = {"device": device, "precision": precision, "threads": threads}
    encoder = read_model(model or configured, wanted, **load)  # type: ignore[arg-type]
    with errors.status("Reading the history …"):
        pasts = list(_pasts(kept, encoder, _encoded(encoder, members, kept.folder), scope))
        tried = backtest_rule(rule, pasts)
    for warning in kept.warnings:
        warn(warning)
    if tried is None:
        missing = sorted(set(rule.members) - {past.query for past in pasts})
        raise HistoryError(
            f"there are no windows of this model ({encoder.fingerprint}) in the period that "
            f"{', '.join(missing)} could be held against."
            if missing
            else "its queries were held against windows together for less than two minutes.",
            where=str(kept.folder),
            fix="Go further back with --since.",
        )
    return tried, DrawnLevel(rule).query


def _start(config: Config) -> Start:
    """The queries and rules of a configuration, with what was said of them while it ran."""
    from bindstream.state import State
    from bindstream.state.standing import standing

    said = []
    if (where := config.state_path) is not None and where.is_file():
        state = State(where)
        said = state.kept()
        state.close()
    return standing([*config.queries, *config.rules], said)


def _rule(start: Start, rule_id: str, budget: str | None) -> CombinedRule:
    """The rule of an id, with a budget of its own or this one."""
    from pydantic import ValidationError

    from bindstream.config.rule import CombinedRule

    rules = {each.config.id: each.config for each in start.rules}
    rule = rules.get(rule_id)
    if rule is None:
        known = ", ".join(rules) or "none"
        raise ConfigError(f"there is no rule {rule_id!r}.", where="--rule", fix=f"Rules: {known}.")
    if not isinstance(rule, CombinedRule):
        fix = "Rules over queries (all, any, sequence) can be."
        raise ConfigError(
            f"{rule_id!r} is no rule over queries: readings and silences are not kept, so that it "
            "cannot be tried.",
            where="--rule",
            fix=fix,
        )
    if budget is None:
        return rule
    try:
        return CombinedRule.model_validate(
            {**rule.model_dump(exclude_defaults=True), "budget": budget}
        )
    except ValidationError as error:
        raise ConfigError(f"{error.errors()[0]['msg']}.", where="--budget") from None


def _encoded(model: Model, members: Sequence[Standing], history: Path) -> list[Query]:
    """The queries of a rule with their vectors."""
    from bindstream.queries import encode_query, examples_for, taught_of

    found: list[Query] = []
    for each in members:
        examples = examples_for(each.config, model, history, each.sent.get("examples"))
        taught = taught_of(each.config, each.sent.get("taught"))
        text, made_by = model.encode_text, model.fingerprint
        found.append(encode_query(each.config, text, made_by, taught, examples, model.dim))
    return found


def _pasts(
    history: History, model: Model, queries: Sequence[Query], scope: Scope
) -> Iterator[Past]:
    """What each query makes of each stream that it watches."""
    from bindstream.backtest import past_of
    from bindstream.history.computed import computed

    contrasts = Contrasts(model)
    period = scope.since_ns, scope.until_ns
    for name in history.streams(model.fingerprint, *period):
        first = next(iter(history.read(model.fingerprint, name, *period)), None)
        for query in queries:
            if first is None or not query.watches(name, first.modality):
                continue
            pieces = computed(history, model.fingerprint, name, *period)
            against = contrasts.of(first.modality)
            past = past_of(query, against, name, first.modality, pieces)
            if past is not None:
                yield past
