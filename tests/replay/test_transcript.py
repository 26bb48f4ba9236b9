"""Lines of a replay: everything that repeats, and nothing of the run."""

from __future__ import annotations

import dataclasses
import io
import json
import math

import numpy as np

from bindstream.lineup import Place, Stood
from bindstream.records import Alert, Embedding
from bindstream.replay.transcript import Transcript

ALERT = Alert(
    id="dog/mic/5",
    query="dog",
    text="a dog",
    state="started",
    stream="mic",
    modality="audio",
    start_ns=5,
    end_ns=6,
    peak_ns=5,
    peak_z=math.nan,
    peak_cosine=0.5,
    on=3.0,
    off=1.5,
    scores=(4.0,),
    model="m",
    readings={"max_c": 3.0, "a": 1.0},
)
PLACE = Place(at_ns=6, stream="mic", seq=0, start_ns=4, end_ns=6, coverage=1.0, outcome="embedded")


def written(*, windows: bool = True, alert: Alert = ALERT, vector: float = 1.0) -> bytes:
    file = io.BytesIO()
    transcript = Transcript(file, windows=windows)
    unit = np.array([vector, 0.0], np.float32)
    transcript.window(Stood(PLACE, Embedding("mic", "audio", 0, 4, 6, unit, "m")))
    transcript.window(Stood(dataclasses.replace(PLACE, outcome="void", void="dark"), None))
    transcript.alert(alert)
    return file.getvalue()


def test_keys_are_sorted_and_what_is_no_number_is_null() -> None:
    window, void, alert = map(json.loads, written().splitlines())
    for line in (window, void, alert, alert["readings"]):
        assert list(line) == sorted(line)
    assert alert["peak_z"] is None
    assert (void["vector"], void["void"]) == (None, "dark")
    assert len(window["vector"]) == 64


def test_what_belongs_to_one_run_is_not_in_it() -> None:
    again = dataclasses.replace(ALERT, stages={"alerted": 7}, evidence="/somewhere")
    assert written(alert=again) == written()
    assert written(alert=dataclasses.replace(ALERT, peak_cosine=0.6)) != written()


def test_a_vector_that_differs_by_one_bit_shows() -> None:
    assert written(vector=float(np.nextafter(np.float32(1), np.float32(2)))) != written()


def test_alerts_alone() -> None:
    (line,) = written(windows=False).splitlines()
    assert json.loads(line)["kind"] == "alert"
