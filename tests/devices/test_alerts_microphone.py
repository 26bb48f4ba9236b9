"""A sound played into a real microphone path becomes the alert that names it, and no other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bindstream.calibration import WARM_UP
from bindstream.records import Alert
from bindstream.scene import Renderer, Script
from tests.devices.pulse import Pulse, require_pulse, running_pulse
from tests.devices.running import Run, assert_nothing_was_lost, running

pytest.importorskip("sounddevice")
soundfile = pytest.importorskip("soundfile")

BARKS = Path(__file__).parents[3] / "shared" / "data" / "audio" / "esc10_0346.ogg"
"""A dog: five seconds of a source that the shipped model was not trained on."""
QUERIES = {
    "dog": "dog barking",
    "rain": "rain",
    "sea": "sea waves",
    "baby": "a crying baby",
    "clock": "a clock ticking",
    "sneeze": "sneezing",
    "helicopter": "helicopter",
    "chainsaw": "chainsaw",
    "rooster": "a rooster crowing",
    "fire": "fire crackling",
    "alarm": "smoke alarm",
}
STREAM = "room"
TONE_S = 300
UNPLUGGED_S = 2.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not BARKS.is_file(), reason=f"needs the recording {BARKS}"),
]


@dataclass(frozen=True)
class Story:
    """A quiet room, barks, the microphone gone and back, the same barks again.

    `played` holds from when to when each was played, UTC ns; `readers` what the reader said before
    the microphone was unplugged and at the end.
    """

    run: Run
    said: dict[str, Any]
    played: tuple[tuple[int, int], ...]
    unplugged_ns: int
    plugged_ns: int
    readers: tuple[dict[str, Any], dict[str, Any]]

    def answers(self, number: int) -> list[Alert]:
        """Alerts that start with a window in which the barks could be heard."""
        began_ns, ended_ns = self.played[number]
        started = [a for a in self.run.alerts if a.state == "started"]
        return [a for a in started if began_ns < a.end_ns and a.start_ns < ended_ns]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    require_pulse()
    folder = tmp_path_factory.mktemp("microphone")
    tone = folder / "tone.wav"
    quiet = Renderer(Script(seed=5, length_s=TONE_S)).sound(0, 16000 * TONE_S)
    soundfile.write(tone, quiet, 16000)
    config = {
        "streams": [{"name": STREAM, "source": {"kind": "microphone"}}],
        "queries": [{"id": name, "text": text} for name, text in QUERIES.items()],
    }
    with running_pulse(folder / "pulse") as pulse:
        pulse.play(tone)
        with running(config) as run:
            run.more(STREAM, WARM_UP + 6, within_s=180)
            first = play(run, pulse)
            before = run.reader(STREAM)
            pulse.unplug()
            unplugged_ns = time.time_ns()
            run.wait(lambda: run.reader(STREAM)["losses"] > before["losses"], 60, "a loss")
            time.sleep(UNPLUGGED_S)
            pulse.plug()
            plugged_ns = time.time_ns()
            pulse.play(tone)
            run.more(STREAM, 4, within_s=120)
            second = play(run, pulse)
            after = run.reader(STREAM)
            said = run.drain()
    return Story(run, said, (first, second), unplugged_ns, plugged_ns, (before, after))


def play(run: Run, pulse: Pulse) -> tuple[int, int]:
    """Play the barks and wait for the windows that hold them, and for those after them."""
    began_ns = time.time_ns()
    assert pulse.play(BARKS).wait(120) == 0
    ended_ns = time.time_ns()
    run.more(STREAM, 6, within_s=120)
    return began_ns, ended_ns


def test_the_sound_that_was_played_is_alerted_when_it_was_played(story: Story) -> None:
    (alert,) = story.answers(0)
    assert (alert.query, alert.stream, alert.modality) == ("dog", STREAM, "audio")
    began_ns, ended_ns = story.played[0]
    assert began_ns - 1e9 < alert.peak_ns < ended_ns + 1e9
    assert alert.peak_z >= alert.on


def test_over_the_whole_event_its_name_is_the_likeliest(story: Story) -> None:
    # The window that starts an alert may hold as little of the sound as the grid leaves it.
    for number in range(2):
        (alert,) = story.answers(number)
        (ended,) = (a for a in story.run.alerts if a.id == alert.id and a.state == "ended")
        assert ended.peak_share > 0.5


def test_none_of_ten_other_queries_is_alerted(story: Story) -> None:
    assert story.run.started() == ["dog", "dog"]


def test_an_alert_ends_when_its_sound_has(story: Story) -> None:
    for number in range(2):
        (alert,) = story.answers(number)
        (ended,) = (a for a in story.run.alerts if a.id == alert.id and a.state == "ended")
        assert ended.end_ns < story.played[number][1] + 2.5e9


def test_an_alert_says_when_it_passed_each_stage(story: Story) -> None:
    path = (
        *("received", "closed", "features", "arrived", "batched", "embedded"),
        *("published", "delivered", "alerted"),
    )
    for number in range(2):
        (alert,) = story.answers(number)
        passed = [alert.stages[stage] for stage in path]
        assert passed == sorted(passed)
        assert passed[0] > story.played[number][0]


def test_an_unplugged_microphone_is_opened_again(story: Story) -> None:
    before, after = story.readers
    assert after["losses"] > before["losses"]
    assert after["opens"] > before["opens"]
    assert after["state"] == "live"
    assert any("waiting" in said for said in story.run.news)
    assert any("well again" in said for said in story.run.news)


def test_while_it_is_gone_nothing_is_embedded_and_the_hole_is_accounted_for(story: Story) -> None:
    # A window needs 95 % of its 2 s: none may end in the hole, or begin before its end.
    for embedding in story.run.embeddings:
        before = embedding.end_ns < story.unplugged_ns + 0.4e9
        assert before or embedding.start_ns > story.plugged_ns - 0.4e9
    accounts = story.said["streams"][STREAM]["intake"]["accounts"]
    gone_s = (story.plugged_ns - story.unplugged_ns) / 1e9
    assert accounts["dropped"]["void"] + accounts["unheard_s"] >= gone_s - 1
    assert accounts["dropped"]["killed"] == accounts["dropped"]["failed"] == 0


def test_windows_go_on_and_the_same_sound_is_alerted_again(story: Story) -> None:
    (alert,) = story.answers(1)
    assert alert.query == "dog"
    assert alert.start_ns > story.plugged_ns


def test_nothing_is_lost_on_the_way(story: Story) -> None:
    assert_nothing_was_lost(story.said)
