"""Evidence: what scores of different sensors have in common, as log-odds that can be added.

Cosines of different modalities are never compared, nor are their z. What can be compared is how
rarely a stream's own background reaches so high: that is a p-value, and p-values have a calibration
to odds (Sellke, Bayarri & Berger 2001, "Calibration of p values for testing precise null
hypotheses", The American Statistician 55(1)): whatever else may be going on, the odds against the
background are at most 1 / (-e p ln p). Their logarithm is the evidence here, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bindstream.records import Score
from bindstream.rules import Level

MOST = 12.0
"""Evidence a single sign may have, about 160,000 to 1: no background is known so well that more
could be believed."""
LEAST_CHANCE = 0.05
"""Signs that the background shows more often than in one of twenty spans of a rule are none."""


def chance(per_hour: float, within_s: float) -> float:
    """How likely it is that background reaches within `within_s` what it reaches `per_hour` times
    an hour: [0, 1]."""
    return -math.expm1(-per_hour * within_s / 3600)


def log_odds(p: float) -> float:
    """The evidence of a p-value against the background, [0, `MOST`] nats; 0 from p = 1/e up."""
    if p >= 1 / math.e:
        return 0.0
    if p <= 0:
        return MOST
    log_p = math.log(p)
    return min(-1.0 - log_p - math.log(-log_p), MOST)


LEAST = log_odds(LEAST_CHANCE)
"""Evidence below which a sign is none: odds of 2.5 to 1."""


def evidence(score: Score, level: Level, budget: float, within_s: float) -> float:
    """The evidence of one score: 0 where it is no sign, else from `LEAST` to `MOST` nats.

    While it is not known how often the background reaches so high, a score that reaches the query's
    level counts as what the query's own budget allows, and any other as nothing.

    Args:
        level: that of the query on this stream now.
        budget: the query's, false alarms an hour.
        within_s: time of the rule, seconds.
    """
    per_hour = score.per_hour
    if math.isnan(per_hour):
        per_hour = budget if reaches(score, level) else math.inf
    found = log_odds(chance(per_hour, within_s))
    return found if found >= LEAST else 0.0


def reaches(score: Score, level: Level) -> bool:
    """Whether the query stands out by itself; not so while its background is being learned."""
    return score.z >= level.on and score.share >= level.share


def any_of(found: Sequence[float]) -> float:
    """Evidence that one of several is there, it is not known which.

    The mean of their odds, all being as likely before: three that could have shown something and
    did not make the one that did worth less, and two that did are worth more than one.
    """
    top = max(found)
    return top + math.log(sum(math.exp(one - top) for one in found) / len(found))
