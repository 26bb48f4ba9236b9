"""Rules on a real watch: two streams of noise, in which now and then both show something."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.combine.odds import LEAST
from bindstream.config import QueryConfig
from bindstream.config.rule import ANY_RULE
from bindstream.matcher import Query, make_query
from bindstream.records import Alert, Embedding, ModalityName
from bindstream.watch import Watch
from tests.combine.made import T0, S

DIM = 32
GLASS, PERSON = np.eye(2, DIM, dtype=np.float32)
STREAMS: dict[str, ModalityName] = {"mic": "audio", "camera": "vision"}


def query(name: str, vector: np.ndarray, stream: str, **config: object) -> Query:
    given = {"id": name, "text": name, "streams": stream, "alert": False, **config}
    nothing = np.zeros((0, DIM), np.float32)
    return make_query(QueryConfig.model_validate(given), vector[None], nothing, "m1")


def window(
    rng: np.random.Generator, stream: str, at_s: int, like: np.ndarray, cosine: float | None
) -> Embedding:
    """Noise, or what has a `cosine` to `like`."""
    vector = rng.normal(size=DIM)
    if cosine is not None:
        vector -= (vector @ like) * like
        vector = cosine * like + np.sqrt(1 - cosine**2) * vector / np.linalg.norm(vector)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    start_ns = T0 + at_s * S
    return Embedding(stream, STREAMS[stream], at_s, start_ns, start_ns + 2 * S, unit, "m1")


def watch(rule: dict[str, object]) -> Watch:
    made = Watch({}, STREAMS)
    made.put(query("glass", GLASS, "mic"))
    made.put(query("person", PERSON, "camera"))
    made.rules.put(ANY_RULE.validate_python({"id": "both", "cooldown_s": 0, **rule}))
    return made


def run(watched: Watch, seconds: range, signs: dict[int, float]) -> list[Alert]:
    """Both streams from `seconds[0]` on; at some what is watched for shows, with such cosines."""
    rng = np.random.default_rng(seconds.start)
    alerts: list[Alert] = []
    for at_s in seconds:
        for stream, vector in (("mic", GLASS), ("camera", PERSON)):
            alerts += watched.push(window(rng, stream, at_s, vector, signs.get(at_s)))[1]
    return alerts + watched.rules.flush()


def begun(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.state == "started"]


@pytest.mark.parametrize("kind", ["all", "any"])
def test_false_alarms_of_noise_stay_within_twice_the_budget(kind: str) -> None:
    seconds, budget = 1800, 20.0
    watched = watch({kind: ["glass", "person"], "budget": budget})
    false = begun(run(watched, range(seconds), {}))
    assert len(false) <= 2 * budget * seconds / 3600
    ((_, level),) = watched.rules.levels()
    assert "20 an hour" in level.promise


def heard(watched: Watch, hours: int) -> None:
    """A past of noise, from which levels are known at once."""
    rng = np.random.default_rng(0)
    starts = T0 - np.arange(hours * 3600, 0, -1) * S
    for stream, modality in STREAMS.items():
        vectors = rng.normal(size=(len(starts), DIM)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        watched.hear(stream, modality, "m1", [(starts, starts + 2 * S, vectors)])


def test_two_weak_signs_alarm_together_and_neither_alone() -> None:
    def alarms(rule: dict[str, object]) -> list[Alert]:
        watched = watch({"budget": 0.2, **rule})
        heard(watched, hours=6)
        return begun(run(watched, range(100), {50: 0.56}))

    (together,) = alarms({"all": ["glass", "person"]})
    # Each is reached several times as often as the rule may alarm.
    assert all(LEAST < part.log_odds < together.on for part in together.parts)
    assert alarms({"any": ["glass"]}) == alarms({"any": ["person"]}) == []


def test_ordinary_windows_are_no_signs_however_long_the_past() -> None:
    watched = watch({"any": ["glass", "person"], "budget": 30})
    heard(watched, hours=12)
    alerts = run(watched, range(300), {})
    eventful_ns = sum(a.end_ns - a.start_ns for a in alerts if a.state == "ended")
    assert eventful_ns <= 100 * S


@pytest.mark.parametrize("kind", ["all", "any"])
def test_what_was_heard_before_is_background_at_once_as_if_it_had_been_watched(kind: str) -> None:
    seconds, rule = 1800, {kind: ["glass", "person"], "budget": 10}
    recalled = watch(rule)
    rng = {stream: np.random.default_rng(i) for i, stream in enumerate(STREAMS)}
    past: dict[str, list[Embedding]] = {stream: [] for stream in STREAMS}
    live = watch(rule)
    for at_s in range(seconds):
        for stream in STREAMS:
            past[stream].append(window(rng[stream], stream, at_s, GLASS, None))
            live.push(past[stream][-1])
    for stream, modality in STREAMS.items():
        starts = np.array([each.start_ns for each in past[stream]])
        vectors = np.stack([each.vector for each in past[stream]])
        recalled.hear(stream, modality, "m1", [(starts, starts + 2 * S, vectors)])
    for stream in STREAMS:
        recalled.push(window(rng[stream], stream, seconds, GLASS, None))
    ((_, now),), ((_, was),) = recalled.rules.levels(), live.rules.levels()
    assert now.promise.startswith("at most 10 an hour")
    assert now.promise == was.promise
    assert now.on == pytest.approx(was.on, abs=1)


def test_a_rule_that_is_added_later_knows_what_was_heard_meanwhile() -> None:
    watched = watch({"all": ["glass", "person"]})
    heard(watched, hours=6)
    run(watched, range(2), {})
    watched.rules.put(ANY_RULE.validate_python({"id": "late", "any": ["glass"], "budget": 1}))
    run(watched, range(2, 4), {})
    levels = dict(watched.rules.levels())
    assert "6.0 h heard" in levels["both"].promise
    assert levels["late"].promise == "at most 1 an hour with 95 % confidence (6.0 h heard)"


def test_a_query_that_comes_back_gives_the_background_of_its_time_away() -> None:
    watched = watch({"all": ["glass", "person"]})
    heard(watched, hours=1)
    run(watched, range(2), {})
    watched.remove("person")
    assert watched.rules.doubts() == [
        "rule 'both': it raises no alert while 'person' is not watched for"
    ]
    run(watched, range(2, 902), {})
    watched.put(query("person", PERSON, "camera"))
    run(watched, range(902, 904), {})
    ((_, level),) = watched.rules.levels()
    assert "1.2 h heard" in level.promise or "1.3 h heard" in level.promise
    assert watched.rules.doubts() == []
