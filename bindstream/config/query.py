"""A query: words or examples to watch for, and the rule that turns scores into alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bindstream.config.section import Section
from bindstream.config.written import (
    Budget,
    Name,
    Names,
    Phrases,
    Sensors,
    as_tuple,
    check_lengths,
    id_from,
)
from bindstream.negation import meant
from bindstream.records import ModalityName
from bindstream.terms.term import Term, term, terms, weight_fault

SILENCE_S = 5.0
"""An event ends when its stream has said nothing for this long, or its clock jumped this far."""


class QueryConfig(Section):
    """What to watch for, in words, by example or as it was taught, and when to speak up.

    Words, `like`, `plus` and `minus` make one sum, as in `bindstream search`. Each of the latter is
    a file (a sound, a picture, a recording, a vector as .npy), the id of a stored window or alert,
    or, but for `like`, words; `0.5*` before it is its weight.

    `budget` is what counts: the level of each stream is drawn from its own background, so that
    false alarms stay within it. `on`, `off` and `share` hold until enough of that was heard. `on`
    and `off` are levels of `Score.z`: robust standard deviations above the stream's own background.
    An alert starts at `on` and ends below `off`, which keeps one event one alert; their difference
    stays the same at other levels. `share` is how likely an explanation of the window the query
    must be to start one.
    """

    id: Name = Field(default="", description="names the query on the bus; made from its words")
    text: Phrases = Field(
        default=(),
        description="the words, or several phrasings of the same thing; beside `taught` they are "
        "what alerts show, the file's name if left out",
    )
    like: Phrases = Field(default=(), description="examples of it, a file or a stored window each")
    plus: Phrases = Field(default=(), description="and this: files, stored windows or words")
    minus: Phrases = Field(default=(), description="and not this, such as 0.5*rain")
    taught: Path | None = Field(
        default=None,
        description="file made by `bindstream teach`: its examples are watched for, not the words",
    )
    unusual: bool = Field(
        default=False,
        description="watch for whatever is new on a stream, beside what it gave before; no words "
        "are needed, `text` is what alerts show",
    )
    negatives: Phrases = Field(
        default=(), description="what it is not: sounds or sights it is easily mistaken for"
    )
    templates: Phrases = Field(
        default=(),
        description="sentences that the words are put into, such as 'the sound of {}': the query "
        "is the mean of them all, as CLIP's prompt ensembles are",
    )
    literal: bool = Field(
        default=False,
        description="take 'no', 'not' and 'without' as words like any other, as in 'a no entry "
        "sign'; else what they deny is held against the query",
    )
    streams: Names | None = Field(default=None, description="only these streams; all if left out")
    modalities: Sensors | None = Field(
        default=None, description="only streams of these modalities; all if left out"
    )
    budget: Budget = Field(
        default=0.2,
        gt=0,
        le=3600,
        description="false alarms an hour, or as '3/day': the level follows from each stream's own "
        "background, as soon as that is known",
    )
    on: float = Field(default=3.0, gt=0, le=100, description="an alert starts at this z")
    off: float = Field(default=1.5, ge=-10, le=100, description="an alert ends below this z")
    share: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="an alert needs the query to be so likely among itself, its negatives and what "
        "else the model knows of this modality",
    )
    needed: int = Field(
        default=1,
        ge=1,
        le=60,
        description="so many of the last `of` windows start an alert; "
        "where one vector stands for several, they are one",
    )
    of: int = Field(default=1, ge=1, le=60, description="windows looked back at, see `needed`")
    min_length_s: float = Field(
        default=0.0, ge=0, le=3600, description="shorter events say nothing, seconds"
    )
    max_length_s: float = Field(
        default=0.0,
        ge=0,
        le=86400,
        description="longer events end after so long, seconds; 0: never",
    )
    cooldown_s: float = Field(
        default=5.0, ge=0, le=86400, description="silence after an alert, seconds"
    )
    alert: bool = Field(
        default=True, description="false: raises no alert of its own, rules alone make use of it"
    )

    @model_validator(mode="before")
    @classmethod
    def _derive_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        taught = data.get("taught")
        if data.get("text") is None and isinstance(taught, str | Path) and Path(taught).stem:
            data = {**data, "text": Path(taught).stem}
        if data.get("text") is None and data.get("unusual") is True:
            data = {**data, "text": "something unusual"}
        if data.get("id") is not None:
            return data
        said = (as_tuple(data.get(key)) for key in ("text", "like", "plus"))
        some = (w for words in said if _is_list(words) for w in words)
        first = next((w for w in some if isinstance(w, str)), "")
        rest = {key: value for key, value in data.items() if key != "id"}
        said_so = data.get("text") or weight_fault(first)
        return {**rest, "id": id_from(first if said_so else term(first).name)}

    @field_validator("text", "negatives")
    @classmethod
    def _words(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in phrases:
            if not any(letter.isalnum() for letter in phrase):
                what = "there is no word in {phrase}"
                raise PydanticCustomError("no_words", what, {"phrase": repr(phrase)})
        return phrases

    @field_validator("templates")
    @classmethod
    def _has_place(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            if template.count("{}") != 1:
                what = "{template} needs one {place}, where the words go"
                found = {"template": repr(template), "place": "{}"}
                raise PydanticCustomError("no_place", what, found)
        return templates

    @field_validator("modalities")
    @classmethod
    def _sensors_only(cls, modalities: tuple[ModalityName, ...] | None) -> Any:
        if modalities and "text" in modalities:
            raise PydanticCustomError(
                "not_a_sensor", "text is what queries are made of, no stream has it"
            )
        return modalities

    @field_validator("like", "plus", "minus")
    @classmethod
    def _weights(cls, summands: tuple[str, ...]) -> tuple[str, ...]:
        for each in summands:
            if fault := weight_fault(each):
                what = "{fault}; what is to be taken off goes under `minus`"
                raise PydanticCustomError("weight", what, {"fault": fault})
        return summands

    @field_validator("like")
    @classmethod
    def _no_words(cls, like: tuple[str, ...]) -> tuple[str, ...]:
        for each in like:
            if term(each).kind == "words":
                raise PydanticCustomError(
                    "no_example",
                    "{each} is no file and no window's id: words belong in `text` or `plus`",
                    {"each": repr(each)},
                )
        return like

    @model_validator(mode="after")
    def _asks_for_something(self) -> QueryConfig:
        if self.taught is not None and self.terms:
            raise PydanticCustomError(
                "taught_sum",
                "what was taught is neither added to nor taken from: teach it with these files, "
                "or leave `taught` out",
            )
        if self.unusual and (self.taught is not None or self.terms or self.negatives):
            raise PydanticCustomError(
                "unusual_what",
                "`unusual` is held against what the stream gave before, not against words or "
                "examples: leave taught, like, plus, minus and negatives out",
            )
        if not self.text and not any(each.weight > 0 for each in self.terms):
            raise PydanticCustomError(
                "nothing", "there is nothing to watch for: give `text`, `like`, `plus` or `taught`"
            )
        return self

    @model_validator(mode="after")
    def _no_mere_absence(self) -> QueryConfig:
        added = [each.what for each in self.terms if each.kind == "words"]
        worded = self.taught is None and not self.unusual and not self.literal
        for phrase in (*self.text, *added) if worded else ():
            found = meant(phrase)
            if found is not None and found.denied and phrase in added:
                raise PydanticCustomError(
                    "denied_term",
                    "{phrase} denies something: put that under `minus`",
                    {"phrase": repr(phrase)},
                )
            if found is None:
                raise PydanticCustomError(
                    "absence",
                    "{phrase} says what is not there, which no sensor shows: say what is seen or "
                    "heard instead ('an empty room'), or 'THIS without THAT'; literal: true takes "
                    "the words as they are",
                    {"phrase": repr(phrase)},
                )
        return self

    @property
    def terms(self) -> tuple[Term, ...]:
        """What is added to the words and taken off."""
        return terms(self.like, self.plus, self.minus)

    @property
    def texts(self) -> tuple[str, ...]:
        """All words that it takes a text tower for; none for what was taught or is unusual."""
        if self.taught is not None or self.unusual:
            return ()
        added = [each.what for each in self.terms if each.kind == "words"]
        return tuple(dict.fromkeys((*self.said, *self.held_against, *added)))

    @property
    def shown(self) -> tuple[str, ...]:
        """What alerts show: the words, or the names of what stands in their place."""
        return self.text or tuple(each.name for each in self.terms if each.weight > 0)

    @property
    def said(self) -> tuple[str, ...]:
        """The phrasings whose vectors are watched for: less what they deny, in every template."""
        words = self.text
        if not self.literal:
            words = tuple(found.said for phrase in self.text if (found := meant(phrase)))
        said = (t.replace("{}", one) for one in words for t in self.templates or ("{}",))
        return tuple(dict.fromkeys(said))

    @property
    def held_against(self) -> tuple[str, ...]:
        """The negatives, and what the phrasings deny."""
        if self.literal:
            return self.negatives
        denied = [found.denied for phrase in self.text if (found := meant(phrase))]
        return tuple(dict.fromkeys((*self.negatives, *filter(None, denied))))

    @model_validator(mode="after")
    def _words_or_examples(self) -> QueryConfig:
        if self.taught is not None and self.negatives:
            raise PydanticCustomError(
                "taught_negatives",
                "negatives are words, with which a taught query is not compared: teach it with "
                "--not FILES",
            )
        return self

    @model_validator(mode="after")
    def _windows(self) -> QueryConfig:
        if self.needed > self.of:
            raise PydanticCustomError(
                "windows",
                "needed ({needed}) of the last {of} windows can never reach the level",
                {"needed": self.needed, "of": self.of},
            )
        check_lengths(self.min_length_s, self.max_length_s)
        return self

    @model_validator(mode="after")
    def _levels(self) -> QueryConfig:
        if self.off >= self.on:
            raise PydanticCustomError(
                "levels",
                "off ({off}) must be below on ({on}): an alert ends lower than it starts",
                {"on": self.on, "off": self.off},
            )
        return self


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))
