"""A rule: what several queries, or a sensor's own readings, amount to together."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Discriminator, Field, Tag, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from bindstream.config.section import Section
from bindstream.config.written import Budget, Name, Names, Phrase, check_lengths

Members = Annotated[Names, Field(max_length=8)]
"""Ids of queries."""
OWN_PART = 0.05
"""Of a level in other units than °C: how far back a reading has to go to have ended."""


class _Rule(Section):
    id: Name = Field(description="names the rule on the bus; no query may have the same")
    text: Phrase | None = Field(default=None, description="what alerts show; the id if left out")
    cooldown_s: float = Field(
        default=5.0, ge=0, le=86400, description="silence after an alert, seconds"
    )

    @property
    def said(self) -> str:
        return self.text or self.id


class CombinedRule(_Rule):
    """Queries that amount to something together: `all` of them, `any`, or a `sequence`.

    Each counts with the highest evidence it had within `within_s`, on whichever stream. What is
    combined is evidence, so that two weak signs on two sensors may be enough where neither is
    alone. Evidence stays for `within_s`, and so does the event.
    """

    all: Members | None = Field(default=None, description="each of these queries, in any order")
    any: Members | None = Field(default=None, description="at least one of these queries")
    sequence: Members | None = Field(
        default=None, description="each of these queries, one after the other"
    )
    none: Members = Field(
        default=(),
        description="evidence for these queries is taken off, and one that stands out is a veto",
    )
    within_s: float = Field(
        default=10.0, ge=1, le=3600, description="how far apart the signs may lie, seconds"
    )
    budget: Budget = Field(
        default=0.2,
        gt=0,
        le=3600,
        description="false alarms of the rule itself an hour, or as '3/day' or '1/week'",
    )
    min_length_s: float = Field(
        default=0.0, ge=0, le=3600, description="shorter events say nothing, seconds"
    )
    max_length_s: float = Field(
        default=0.0, ge=0, le=86400, description="longer events end after so long; 0: never"
    )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The queries whose evidence is for it."""
        return self.all or self.any or self.sequence or ()

    @property
    def members(self) -> tuple[str, ...]:
        """Every query it is made of."""
        return (*self.wanted, *self.none)

    @property
    def needed(self) -> int:
        """How many queries have to have evidence."""
        return 1 if self.any else len(self.wanted)

    @model_validator(mode="after")
    def _one_way(self) -> CombinedRule:
        given = [key for key in ("all", "any", "sequence") if getattr(self, key) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "one_way",
                "give one of all, any and sequence{but}",
                {"but": f", not {' and '.join(given)}" if given else ": none says what it is not"},
            )
        twice = sorted({one for one in self.members if self.members.count(one) > 1})
        if twice:
            raise PydanticCustomError(
                "twice", "{names} stands in it twice", {"names": ", ".join(map(repr, twice))}
            )
        if given[0] != "any" and len(self.wanted) < 2:
            raise PydanticCustomError(
                "lone",
                "{key} of a single query is that query: name two, or write any",
                {"key": given[0]},
            )
        check_lengths(self.min_length_s, self.max_length_s)
        return self


class ReadingRule(_Rule):
    """A physical reading of a stream's windows that stays above or below a level."""

    reading: str = Field(pattern=r"^[a-z0-9_]+$", description="its name in `readings`, as max_c")
    above: float | None = Field(default=None, description="an event is at least this")
    below: float | None = Field(default=None, description="an event is at most this")
    until: float | None = Field(
        default=None,
        description="the event goes on until the reading is back beyond this; 1 °C, or a twentieth "
        "of the level in other units, if left out",
    )
    for_s: float = Field(
        default=0.0, ge=0, le=3600, description="shorter events say nothing, seconds"
    )
    streams: Names | None = Field(
        default=None, description="only these streams; all that carry the reading if left out"
    )

    @property
    def level(self) -> float:
        level = self.below if self.above is None else self.above
        assert level is not None
        return level

    @property
    def end(self) -> float:
        """Where the event ends."""
        if self.until is not None:
            return self.until
        apart = 1.0 if self.reading.endswith("_c") else OWN_PART * abs(self.level)
        return self.level - apart if self.above is not None else self.level + apart

    @model_validator(mode="after")
    def _levels(self) -> ReadingRule:
        if (self.above is None) == (self.below is None):
            raise PydanticCustomError("level", "give either above or below")
        wrong = self.end > self.level if self.above is not None else self.end < self.level
        if wrong:
            raise PydanticCustomError(
                "until",
                "until ({until}) lies beyond the level ({level}): the event would end as it starts",
                {"until": self.end, "level": self.level},
            )
        return self


class SilenceRule(_Rule):
    """A stream of which no window comes any more, or none ever came."""

    silent_s: float = Field(ge=1, le=86400, description="an event starts after so long, seconds")
    streams: Names | None = Field(default=None, description="only these streams; all if left out")


def _kind_of(value: Any) -> str | None:
    """Which rule a section is meant to be, by its keys."""
    if isinstance(value, _Rule):
        return next(name for name, kind in RULE_KINDS.items() if isinstance(value, kind))
    keys = set(value) if isinstance(value, dict) else set()
    told = {
        "reading_rule": {"reading", "above", "below"},
        "silence_rule": {"silent_s"},
        "combined_rule": {"all", "any", "sequence", "none"},
    }
    return next((name for name, own in told.items() if keys & own), None)


RULE_KINDS: dict[str, type[BaseModel]] = {
    "combined_rule": CombinedRule,
    "reading_rule": ReadingRule,
    "silence_rule": SilenceRule,
}
AnyRule = CombinedRule | ReadingRule | SilenceRule
RuleConfig = Annotated[
    Annotated[CombinedRule, Tag("combined_rule")]
    | Annotated[ReadingRule, Tag("reading_rule")]
    | Annotated[SilenceRule, Tag("silence_rule")],
    Discriminator(
        _kind_of,
        custom_error_type="rule_kind",
        custom_error_message="does not say what it is made of: give all, any or sequence "
        "(queries), reading with above or below, or silent_s",
    ),
]
ANY_RULE: TypeAdapter[AnyRule] = TypeAdapter(RuleConfig)
"""Reads a rule of whatever kind."""
