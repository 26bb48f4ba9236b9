"""Phrases for what a sensor perceives when nothing in particular happens.

A query's score is contrasted with these, so that "is this a dog?" becomes "is this a dog rather
than an empty room?". A model may bring phrases of its own (`Model.background`), which then replace
these.
"""

from __future__ import annotations

from bindstream.records import ModalityName

BACKGROUND: dict[ModalityName, tuple[str, ...]] = {
    "vision": ("an empty room", "nothing in particular", "a plain wall", "a dark room"),
    "audio": ("silence", "room tone", "background noise", "wind", "people talking"),
    "thermal": ("an empty room", "nothing in particular", "a cold background"),
    "depth": ("an empty room", "nothing in particular", "a flat wall"),
    "imu": ("sitting still", "standing still", "lying on a table", "nothing in particular"),
}
