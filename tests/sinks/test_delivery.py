"""Delivery: everyone gets everything in order; a full disk is waited for, and keeps nobody else."""

from __future__ import annotations

import errno

from bindstream.records import Alert
from bindstream.sinks import delivery
from bindstream.sinks.delivery import Delivery
from tests.state.alerts import alert

ALERTS = [alert(i) for i in range(4)]


class Taking:
    """A sink that takes what it can, and raises what it is told to."""

    def __init__(self) -> None:
        self.taken: list[Alert] = []
        self.wrong: Exception | None = None

    def accept(self, alert: Alert) -> None:
        if self.wrong is not None:
            raise self.wrong
        self.taken.append(alert)


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_everyone_gets_everything_and_the_caller_hears_who_has_it() -> None:
    sinks = [Taking(), Taking()]
    assert Delivery(sinks).push(ALERTS) == ALERTS
    assert [sink.taken for sink in sinks] == [ALERTS, ALERTS]
    assert Delivery([]).push(ALERTS) == ALERTS


def test_a_full_disk_keeps_nobody_else_and_has_its_own_in_order_later() -> None:
    disk, bus = Taking(), Taking()
    both = Delivery([disk, bus])
    disk.wrong = full()
    assert both.push(ALERTS[:2]) == []
    assert bus.taken == ALERTS[:2]
    assert both.trouble == "Taking: No space left on device; 2 announcements wait"
    assert both.push(ALERTS[2:3]) == []
    disk.wrong = None
    assert both.push(ALERTS[3:]) == ALERTS
    assert (disk.taken, bus.taken, both.trouble) == (ALERTS, ALERTS, "")


def test_what_a_sink_refuses_for_good_does_not_keep_what_follows() -> None:
    sink = Taking()
    one = Delivery([sink])
    sink.wrong = ValueError("not this one")
    assert one.push(ALERTS[:1]) == ALERTS[:1]
    assert "ValueError: not this one" in one.trouble
    sink.wrong = None
    assert one.push(ALERTS[1:]) == ALERTS[1:]
    assert one.trouble == ""


def test_a_sink_that_stays_away_for_long_takes_no_more_memory() -> None:
    sink = Taking()
    one = Delivery([sink])
    sink.wrong = full()
    for i in range(delivery.BEHIND_MOST + 5):
        one.push([alert(i)])
    assert "5 announcements were too many" in one.trouble
    sink.wrong = None
    assert len(one.due()) == delivery.BEHIND_MOST
    assert sink.taken[0] == alert(5)
