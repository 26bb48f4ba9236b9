"""How well alerts answer what really happened: found, missed and false, query by query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bindstream.records import Alert
from bindstream.scene.script import Event


@dataclass(frozen=True)
class Verdict:
    """One query's events that were found and missed, and its alerts without an event."""

    query: str
    kind: str
    found: tuple[Event, ...]
    missed: tuple[Event, ...]
    false: tuple[Alert, ...]


def judge(
    events: Iterable[Event],
    alerts: Iterable[Alert],
    kinds: Mapping[str, str],
    *,
    start_ns: int,
    slack_s: float = 2.0,
) -> dict[str, Verdict]:
    """Compares alerts with the ground truth.

    An alert answers an event when its query watches for the event's kind and the two overlap in
    time, give or take `slack_s` (windows reach beyond the event at both ends). Several alerts may
    answer one event, and one alert several events. Alerts of queries not in `kinds` are left out.

    Args:
        events: what happened, seconds into the scene (see `ground_truth`).
        alerts: as announced; of announcements that share an id the last one counts.
        kinds: for each query's id the kind of event it watches for.
        start_ns: capture time (UTC ns) of the scene's beginning.
        slack_s: how far apart an alert and its event may lie.
    """
    latest = {alert.id: alert for alert in alerts}
    happened = list(events)
    verdicts = {}
    for query, kind in kinds.items():
        of_kind = [event for event in happened if event.kind == kind]
        raised = [alert for alert in latest.values() if alert.query == query]
        hits = {(e, a.id) for e in of_kind for a in raised if _overlap(e, a, start_ns, slack_s)}
        answered, true_ids = {e for e, _ in hits}, {alert_id for _, alert_id in hits}
        verdicts[query] = Verdict(
            query=query,
            kind=kind,
            found=tuple(e for e in of_kind if e in answered),
            missed=tuple(e for e in of_kind if e not in answered),
            false=tuple(a for a in raised if a.id not in true_ids),
        )
    return verdicts


def _overlap(event: Event, alert: Alert, start_ns: int, slack_s: float) -> bool:
    begins_s, ends_s = (alert.start_ns - start_ns) / 1e9, (alert.end_ns - start_ns) / 1e9
    return begins_s <= event.end_s + slack_s and ends_s >= event.start_s - slack_s
