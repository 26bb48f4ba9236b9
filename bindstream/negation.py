"""Negation in words: "a person without a hat" becomes a contrast, "no smoke" is refused.

Text towers of this kind hardly hear a "not": the vector of "without a hat" lies beside that of
"with a hat" (Alhamoud et al., arXiv 2501.09425). What is denied is therefore held against the query
as a negative; where nothing is left to watch for, the words are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DENIED_WITH = re.compile(
    r"^(?P<said>.+?)[\s,]+(?:without|with no|lacking|minus)\s+(?P<denied>.+)$", re.I
)
DENIED = re.compile(
    r"^(?P<said>.+?)[\s,]+(?:but|and|rather than|instead of|except|except for|other than)?\s*"
    r"(?:not|never|rather than|instead of|except for|except|other than)\s+(?P<denied>.+)$",
    re.I,
)
NEGATIVE = re.compile(
    r"\b(?:no|not|never|nobody|no one|none|nothing|nowhere|neither|nor|without|lacking|cannot"
    r"|\w+n['’]t)\b",
    re.I,
)
IN_PARTICULAR = re.compile(r"\bnothing (?:in particular|unusual|special)\b", re.I)
DOING = re.compile(r"\w+ing\s", re.I)
COPULAS = re.compile(
    r"(?:(?:^|\s)(?:is|are|was|were|am|be|do|does|did|has|have|will|can)|['’](?:s|re|m|ve|ll|d))$",
    re.I,
)
POINTERS = re.compile(r"(?:an?|the|th(?:is|at|ese|ose)|some|any|it|there)$", re.I)


@dataclass(frozen=True)
class Meant:
    """What a phrase says, and a phrase of what it denies to hold against it ("" if nothing)."""

    said: str
    denied: str = ""


def meant(phrase: str) -> Meant | None:
    """What a phrase asks for; None if it only says what is not there."""
    if IN_PARTICULAR.search(phrase):
        return Meant(phrase)
    if found := DENIED_WITH.match(phrase):
        said, denied = found["said"].strip(), found["denied"].strip()
        return _checked(said, f"{said} with {denied}")
    if found := DENIED.match(phrase):
        said, denied = found["said"].strip(), found["denied"].strip()
        # "a person not wearing a helmet": the participle means nothing without the person.
        return _checked(said, f"{said} {denied}" if DOING.match(denied) else denied)
    return None if NEGATIVE.search(phrase) else Meant(phrase)


def _checked(said: str, denied: str) -> Meant | None:
    """None where a negation is left, or what stands before it names nothing ("a never ending
    alarm"), or ends with the verb that was denied."""
    if NEGATIVE.search(said) or NEGATIVE.search(denied):
        return None
    if COPULAS.search(said) or POINTERS.match(said):
        return None
    return Meant(said, denied)
