"""What a rule is worth while some of its queries are not watched for."""

from __future__ import annotations

from collections.abc import Collection

from bindstream.config.rule import CombinedRule


def lacking(rule: CombinedRule, missing: Collection[str]) -> str:
    """What the rule lacks, in words; "" if it lacks nothing.

    Args:
        missing: ids of queries that are paused, or are not there.
    """
    if not (gone := [name for name in rule.members if name in missing]):
        return ""
    names = ", ".join(map(repr, gone))
    left = [name for name in rule.wanted if name not in gone]
    if len(left) < rule.needed:
        worth = "it raises no alert"
    elif len(left) < len(rule.wanted):
        worth = "it goes by the others"
    else:
        worth = "nothing speaks against it"
    return f"{worth} while {names} {'is' if len(gone) == 1 else 'are'} not watched for"
