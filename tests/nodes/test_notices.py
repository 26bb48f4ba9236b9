"""What a run says: when, what is new of it, and what is wrong now."""

from __future__ import annotations

import threading

from nodes.notices import KEPT, SHOWN, Notice, Notices


class Ticking:
    """A clock that is one nanosecond further each time it is read."""

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        self._now_ns += 1
        return self._now_ns


def words(said: list[Notice]) -> list[str]:
    return [notice.what for notice in said]


def test_a_notice_has_the_time_at_which_it_was_said_and_is_news_once() -> None:
    notices = Notices(Ticking())
    notices.add("the state is new")
    notices.add("door died and was restarted", "hall died and was restarted")
    said = [
        Notice(1, "the state is new"),
        Notice(2, "door died and was restarted"),
        Notice(3, "hall died and was restarted"),
    ]
    assert notices.news() == said
    assert notices.news() == []
    notices.add()
    assert notices.news() == []
    assert notices.last == said


def test_a_trouble_is_said_when_it_comes_and_when_it_is_over() -> None:
    notices = Notices(Ticking())
    notices.follow({"stream door": "silent for 9 s", "embed-0": "ValueError: NaN"})
    notices.follow({"stream door": "silent for 10 s", "embed-0": "ValueError: NaN"})
    notices.follow({"stream door": "silent for 11 s", "clock": "was set"})
    assert notices.status()["troubles"] == {"stream door": "silent for 11 s", "clock": "was set"}
    notices.follow({})
    assert notices.status()["troubles"] == {}
    notices.follow({"clock": "was set"})
    assert words(notices.news()) == [
        "stream door: silent for 9 s",
        "embed-0: ValueError: NaN",
        "clock: was set",
        "embed-0: well again",
        "stream door: well again",
        "clock: well again",
        "clock: was set",
    ]


def test_what_ended_in_trouble_is_not_called_well_again() -> None:
    notices = Notices(Ticking())
    notices.follow({"stream door": "behind", "stream hall": "behind", "clock": "was set"})
    notices.follow({"stream hall": "behind"}, over={"stream door"})
    notices.follow({}, over={"stream door"})
    assert notices.status()["troubles"] == {}
    assert words(notices.news())[3:] == ["clock: well again", "stream hall: well again"]


def test_troubles_are_as_they_were_followed_though_the_caller_changes_his() -> None:
    notices, now = Notices(Ticking()), {"clock": "was set"}
    notices.follow(now)
    now.clear()
    notices.status()["troubles"].clear()
    notices.troubles.clear()
    assert notices.troubles == {"clock": "was set"}
    notices.follow({})
    assert words(notices.news()) == ["clock: was set", "clock: well again"]


def test_what_is_insisted_on_is_said_in_place_of_another_trouble_and_once() -> None:
    notices = Notices(Ticking())
    notices.follow({"match": "a sink waits"})
    notices.insist("match", "a sink waits")
    notices.insist("match", "a sink waits; 2 announcements were not told")
    notices.follow({"match": "a sink waits; 2 announcements were not told"})
    said = ["match: a sink waits", "match: a sink waits; 2 announcements were not told"]
    assert words(notices.news()) == said
    assert list(notices.status()["troubles"]) == ["match"]


def test_the_last_are_kept_and_a_status_holds_the_last_of_them_as_plain_data() -> None:
    notices = Notices(Ticking())
    for number in range(KEPT + 5):
        notices.add(f"notice {number}")
    assert words(notices.last) == [f"notice {number}" for number in range(5, KEPT + 5)]
    assert notices.news() == notices.last
    warnings = notices.status()["warnings"]
    assert warnings[-1] == {"at_ns": KEPT + 5, "what": f"notice {KEPT + 4}"}
    assert len(warnings) == SHOWN


def test_of_what_several_threads_say_nothing_is_lost_and_nothing_is_told_twice() -> None:
    notices, told = Notices(Ticking()), list[str]()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            told.extend(words(notices.news()))
            notices.status()

    def say(who: int) -> None:
        for number in range(KEPT // 2):
            notices.add(f"{who}: {number}")

    asking = threading.Thread(target=ask)
    asking.start()
    saying = [threading.Thread(target=say, args=(who,)) for who in range(2)]
    for each in saying:
        each.start()
    for each in saying:
        each.join()
    done.set()
    asking.join()
    told += words(notices.news())
    assert sorted(told) == sorted(f"{who}: {n}" for who in range(2) for n in range(KEPT // 2))
    times = [notice.at_ns for notice in notices.last]
    assert times == sorted(times)
