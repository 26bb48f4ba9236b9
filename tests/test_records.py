"""The five records: frozen, whole across process borders, and in step with the wire."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from bindstream.modalities import MODALITIES
from bindstream.records import Alert, Embedding, ModalityName, Sample, Score, Window, on_run_clock

AUDIO: ModalityName = "audio"
RECORDS: list[Any] = [
    Sample("mic", AUDIO, np.zeros(8, np.float32), 0, 500_000, 600_000, times_ns=np.arange(8)),
    Window("mic", AUDIO, 1, 0, 2, np.ones(4, np.float32), 0.99, gaps=((0, 1),), stages={"a": 1}),
    Embedding("mic", AUDIO, 1, 0, 2, np.eye(1, 4, dtype=np.float32)[0], "m1"),
    Score("dog", "mic", AUDIO, 1, 0, 2, 0.4, 0.1, 6.0),
    Alert("a/0", "dog", "a dog", "started", "mic", AUDIO, 0, 2, 1, 6.0, 0.4, 5, 3, (6.0,), "m1"),
]
names = [type(r).__name__ for r in RECORDS]


@pytest.mark.parametrize("record", RECORDS, ids=names)
def test_records_cannot_be_changed(record: Any) -> None:
    for name in [field.name for field in dataclasses.fields(record)]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, None)
    with pytest.raises((AttributeError, TypeError)):
        record.anything_else = 1


@pytest.mark.parametrize("record", RECORDS, ids=names)
def test_records_cross_process_borders_whole(record: Any) -> None:
    back = pickle.loads(pickle.dumps(record))
    for field in dataclasses.fields(record):
        sent, got = getattr(record, field.name), getattr(back, field.name)
        np.testing.assert_equal(got, sent)
        assert type(got) is type(sent)


def test_records_do_not_share_their_mappings() -> None:
    one, two = (Embedding("a", AUDIO, 0, 0, 1, np.ones(1, np.float32), "m") for _ in range(2))
    assert one.readings is not two.readings
    assert one.stages is not two.stages


def test_every_time_of_a_record_is_named_in_nanoseconds() -> None:
    for record in RECORDS:
        for name in [f.name for f in dataclasses.fields(record)]:
            assert not name.endswith(("_s", "_ms", "_us", "_time"))


def test_the_names_of_modalities_are_those_of_the_table() -> None:
    assert set(ModalityName.__args__) == set(MODALITIES)  # type: ignore[attr-defined]


def test_times_of_another_host_are_laid_on_the_runs_clock_once() -> None:
    times_ns = np.array([10, 20], np.int64)
    sample = Sample("wrist", "imu", np.zeros((2, 6)), 10, 20, 25, times_ns=times_ns, offset_ns=-7)
    laid = on_run_clock(sample)
    assert (laid.start_ns, laid.end_ns, laid.receive_ns, laid.offset_ns) == (3, 13, 18, 0)
    assert laid.times_ns is not None
    assert laid.times_ns.tolist() == [3, 13]
    assert times_ns.tolist() == [10, 20]
    assert on_run_clock(laid) is laid
    vector = np.eye(1, 4, dtype=np.float32)[0]
    window = Embedding("mic", AUDIO, 1, 10, 20, vector, "m1", stages={"closed": 30}, offset_ns=5)
    laid_window = on_run_clock(window)
    assert (laid_window.start_ns, laid_window.end_ns, laid_window.offset_ns) == (15, 25, 0)
    assert laid_window.stages == {"closed": 30}
