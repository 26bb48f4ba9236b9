"""One stream's evidence: saved when its time has come, whatever the disk and the alerts do."""

from __future__ import annotations

import dataclasses
import errno
import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.config import EvidenceConfig, StreamConfig
from bindstream.evidence import Evidence, Keeper, folder_of, read_evidence
from bindstream.evidence.keeping import LAG_S, LONGEST_S, PATIENCE_S
from bindstream.evidence.ring import MEMORY_BYTES
from bindstream.modalities import SENSORS
from bindstream.records import Alert, ModalityName, Part, Sample
from tests.evidence.readings import BEGIN_NS, S, alert, sample


def keeper(root: Path, modality: ModalityName = "audio", **over: Any) -> Keeper:
    source = {"kind": "scene", "length_s": 60, "events": []}
    stream = StreamConfig.model_validate({"name": "s1", "modality": modality, "source": source})
    return Keeper(stream, EvidenceConfig.model_validate({"path": root, **over}))


def play(kept: Keeper, modality: ModalityName, from_s: float, until_s: float) -> None:
    """Readings of these seconds; what is due is saved as they come."""
    for i in range(round(from_s * 4), round(until_s * 4)):
        kept.push(sample(modality, i / 4))
        kept.due(at(i / 4 + 0.25))


def at(seconds: float) -> int:
    return BEGIN_NS + round(seconds * S)


def evidence(root: Path, one: Alert) -> Evidence:
    return read_evidence(folder_of(root, one.query, one.stream, one.start_ns))


def sound_s(found: Evidence) -> float:
    with wave.open(str(found.folder / "sound.wav")) as heard:
        return heard.getnframes() / 16000


@pytest.mark.parametrize("modality", SENSORS)
def test_an_alert_is_saved_once_after_s_have_passed_and_again_after_its_end(
    tmp_path: Path, modality: ModalityName
) -> None:
    kept = keeper(tmp_path, modality)
    started, ended = alert(modality, 10, 12), alert(modality, 10, 16, "ended")
    play(kept, modality, 0, 13)
    kept.take(started, at(13))
    play(kept, modality, 13, 14.5)
    assert list(tmp_path.iterdir()) == []
    play(kept, modality, 14.5, 17)
    first = evidence(tmp_path, started)
    assert first.told.alert.state == "started"
    assert first.told.alert.evidence == str(first.folder)
    kept.take(ended, at(17))
    play(kept, modality, 17, 21)
    whole = evidence(tmp_path, ended)
    assert whole.told.alert.state == "ended"
    assert whole.told.note == ""
    assert whole.told.kept_start_ns == pytest.approx(at(7), abs=S)
    assert whole.told.kept_end_ns == pytest.approx(at(19), abs=S)
    assert all(path.exists() for path in whole.files)
    health = kept.health()
    assert (health.saved, health.failed, health.late, health.trouble) == (2, 0, 0, "")
    assert 0 < health.bytes <= MEMORY_BYTES


def test_a_stream_on_another_host_finds_its_readings_by_the_alerts_times(tmp_path: Path) -> None:
    ahead_ns = round(3.7 * S)  # what this host's clock is ahead of the run's
    kept = keeper(tmp_path)
    one = alert("audio", 10, 12, "ended")
    for i in range(4 * 20):
        heard = sample("audio", i / 4 + ahead_ns / S)
        kept.push(dataclasses.replace(heard, offset_ns=-ahead_ns))
        if i == 4 * 13:
            kept.take(one, at(13) + ahead_ns)
        kept.due(at(i / 4 + 0.25) + ahead_ns)
    found = evidence(tmp_path, one)
    assert found.told.note == ""
    assert found.told.kept_start_ns == pytest.approx(at(7), abs=S)
    assert found.told.kept_end_ns == pytest.approx(at(15), abs=S)


def test_of_a_long_event_the_beginning_is_kept_and_its_end_is_told(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    kept.take(alert("audio", 10, 12), at(13))
    play(kept, "audio", 13, 200)
    ended = alert("audio", 10, 200, "ended")
    kept.take(ended, at(201))
    play(kept, "audio", 201, 206)
    found = evidence(tmp_path, ended)
    assert (found.told.alert.state, found.told.alert.end_ns) == ("ended", ended.end_ns)
    assert sound_s(found) == pytest.approx(3 + LONGEST_S + 3, abs=0.6)
    assert "its last 157 s are not kept" in found.told.note


def test_a_sensor_that_fell_silent_is_waited_for_only_so_long(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    started = alert("audio", 10, 12)
    kept.take(started, at(13))
    kept.due(at(13 + 3 + PATIENCE_S - 0.1))
    assert list(tmp_path.iterdir()) == []
    kept.due(at(13 + 3 + PATIENCE_S))
    assert sound_s(evidence(tmp_path, started)) == pytest.approx(6, abs=0.6)


def test_a_late_alert_is_saved_with_a_word_that_nothing_was_left(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13 + LAG_S * 2)
    late = alert("audio", 3, 5)
    kept.take(late, at(13 + LAG_S * 2))
    kept.due(at(13 + LAG_S * 2))
    found = evidence(tmp_path, late)
    assert found.told.files == ("scores.png",)
    assert "nothing of it was left in memory" in found.told.note
    assert "48 s after its end" in found.told.note
    assert kept.health().late == 1


def test_what_is_missing_before_an_alert_is_said(tmp_path: Path) -> None:
    kept = keeper(tmp_path, before_s=20)
    play(kept, "audio", 8, 13)
    kept.take(alert("audio", 10, 12), at(13))
    play(kept, "audio", 13, 16)
    note = evidence(tmp_path, alert("audio", 10, 12)).told.note
    assert note == "what was 18 s before that was not in memory"


def test_two_alerts_at_once_are_both_saved_and_other_streams_are_not(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    dog = alert("audio", 10, 12)
    cat = alert("audio", 11, 13, query="cat", id=f"cat/s1/{at(11)}")
    other = alert("audio", 11, 13, stream="s2", query="cat", id=f"cat/s2/{at(11)}")
    for one in (dog, cat, other):
        kept.take(one, at(13))
    play(kept, "audio", 13, 17)
    assert sound_s(evidence(tmp_path, dog)) == pytest.approx(8, abs=0.6)
    assert sound_s(evidence(tmp_path, cat)) == pytest.approx(8, abs=0.6)
    assert not folder_of(tmp_path, "cat", "s2", at(11)).exists()


def test_an_alert_of_a_rule_is_saved_by_every_stream_that_has_a_part_in_it(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    parts = (
        Part("glass", "s1", "audio", at(9), at(11), 4.0),
        Part("person", "hall", "vision", at(10), at(12), 3.0),
    )
    rule = alert("vision", 10, 12, stream="hall", query="break-in", parts=parts)
    kept.take(rule, at(13))
    play(kept, "audio", 13, 16)
    found = read_evidence(folder_of(tmp_path, "break-in", "s1", rule.start_ns))
    assert sound_s(found) == pytest.approx(9, abs=0.6)
    assert not folder_of(tmp_path, "break-in", "hall", rule.start_ns).exists()


def test_when_the_stream_is_over_what_is_open_is_saved_at_once(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    kept.take(alert("audio", 10, 12), at(13))
    kept.end(at(13))
    assert evidence(tmp_path, alert("audio", 10, 12)).told.alert.state == "started"
    kept.take(alert("audio", 10, 13, "ended"), at(13))
    kept.due(at(13))
    found = evidence(tmp_path, alert("audio", 10, 12))
    assert found.told.alert.state == "ended"
    assert sound_s(found) == pytest.approx(6, abs=0.6)


def test_a_stream_that_began_anew_leaves_what_was_saved_before(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    kept.take(alert("audio", 10, 12), at(13))
    play(kept, "audio", 13, 16)
    restarted = keeper(tmp_path)
    play(restarted, "audio", 20, 21)
    restarted.take(alert("audio", 10, 14, "ended"), at(21))
    restarted.due(at(21))
    found = evidence(tmp_path, alert("audio", 10, 12))
    assert found.told.alert.state == "ended"
    assert sound_s(found) > 5


def test_a_full_disk_stops_nothing_and_is_said_until_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    with monkeypatch.context() as full:

        def write(path: Path, content: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        full.setattr(Path, "write_bytes", write)
        kept.take(alert("audio", 10, 12), at(13))
        play(kept, "audio", 13, 17)
        assert "No space left on device" in kept.health().trouble
        assert str(tmp_path) in kept.health().trouble
        assert kept.health().failed == 1
    assert list(tmp_path.iterdir()) == []
    kept.take(alert("audio", 10, 16, "ended"), at(17))
    play(kept, "audio", 17, 20)
    assert evidence(tmp_path, alert("audio", 10, 12)).told.note == ""
    assert kept.health().trouble == ""


def test_readings_that_are_none_stop_nothing(tmp_path: Path) -> None:
    kept = keeper(tmp_path, "vision")
    kept.push(Sample("s1", "vision", np.zeros((2, 2, 7), np.float32), BEGIN_NS, BEGIN_NS, BEGIN_NS))
    assert "readings cannot be kept" in kept.health().trouble


def test_the_quota_holds_over_many_alerts(tmp_path: Path) -> None:
    kept = keeper(tmp_path, keep_bytes=1_000_000)
    for i in range(8):
        play(kept, "audio", 20 * i, 20 * i + 13)
        start_ns = at(20 * i + 10)
        one = alert("audio", 20 * i + 10, 20 * i + 12, "ended", id=f"dog/s1/{start_ns}")
        kept.take(one, at(20 * i + 13))
        play(kept, "audio", 20 * i + 13, 20 * i + 16)
    taken = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert taken <= 1_000_000
    assert folder_of(tmp_path, "dog", "s1", at(150)).is_dir()
    assert not folder_of(tmp_path, "dog", "s1", at(10)).exists()
    assert kept.health().gone >= 3


def test_memory_stays_bounded_while_an_event_goes_on_for_ever(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    play(kept, "audio", 0, 13)
    kept.take(alert("audio", 10, 12), at(13))
    play(kept, "audio", 13, 120)
    most_s = 3 + 3 + LAG_S + 2
    assert kept.health().bytes < 1.2 * most_s * 32_000 + 4 * most_s * 300


@pytest.mark.parametrize("query", ["../../out", "/{root}/out", "a/b", "..", ""])
def test_no_alert_on_the_bus_leads_out_of_the_folder(tmp_path: Path, query: str) -> None:
    kept = keeper(tmp_path / "a" / "evidence")
    play(kept, "audio", 0, 8)
    kept.take(
        dataclasses.replace(alert("audio", 3, 5, "ended"), query=query.format(root=tmp_path)), at(8)
    )
    kept.end(at(9))
    assert list(tmp_path.iterdir()) == []
    assert kept.health().saved == 0


def test_what_is_too_old_goes_if_no_more_alerts_come_too(tmp_path: Path) -> None:
    kept, one = keeper(tmp_path, keep_days=1), alert("audio", 3, 5, "ended")
    play(kept, "audio", 0, 8)
    kept.take(one, at(8))
    play(kept, "audio", 8, 10)
    folder = evidence(tmp_path, one).folder
    kept.due(at(20 * 3600))
    assert folder.is_dir()
    kept.due(at(25 * 3600))
    assert not folder.exists()
    assert kept.health().gone == 1
