"""Recordings: MCAP files of what every sensor gave, and of what was made of it.

A run's folder holds files of one recorder or several; each opens by itself, in Foxglove too. Panels
line up by *log time*: the time of capture on the run's clock. Topics of a stream `door`:

| topic | holds |
| --- | --- |
| `/door` | its readings, in the modality's standard schema (see `bindstream.recording.samples`) |
| `/door/sample` | the rest of each Sample: exact times, clock, gap; right after its readings |
| `/door/vector` | vectors, `/door/accounts` what became of its windows |
| `/bindstream/alerts` | alerts, and on `/bindstream/log` the same as lines of a log |
"""

from __future__ import annotations

from bindstream.recording.reading import RecordedStream, Recording
from bindstream.recording.recorder import Recorder, RecorderHealth

__all__ = ["RecordedStream", "Recorder", "RecorderHealth", "Recording"]
