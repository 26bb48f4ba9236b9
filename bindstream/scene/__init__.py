"""The simulated house: sounds, pictures, heat, depth and motion rendered from one seeded script.

It drives the demonstration and the tests, and supplies examples to train the starter model. See
`catalogue` for what can happen, `script` for when, `world` for what sensors perceive of it,
`examples` for labelled windows, `judge` for how well alerts answer it.
"""

from bindstream.scene.catalogue import BACKGROUNDS, CATALOGUE, Kind, kinds_of
from bindstream.scene.examples import example, window
from bindstream.scene.judge import Verdict, judge
from bindstream.scene.script import (
    Event,
    PlannedEvent,
    Script,
    demo_script,
    ground_truth,
    make_script,
    random_script,
)
from bindstream.scene.world import Renderer

__all__ = [
    "BACKGROUNDS",
    "CATALOGUE",
    "Event",
    "Kind",
    "PlannedEvent",
    "Renderer",
    "Script",
    "Verdict",
    "demo_script",
    "example",
    "ground_truth",
    "judge",
    "kinds_of",
    "make_script",
    "random_script",
    "window",
]
