"""What a dataset is made of: items, what they may be called, and how they become model inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bindstream.errors import DataError
from bindstream.file_inputs import Inputs, file_views
from bindstream.records import ModalityName

Task = Literal["classes", "tags", "retrieval"]
"""classes: top-1 among the classes; tags: mean average precision over them; retrieval: text finds
the item it describes among all items."""


class LayoutError(DataError):
    """A folder that is not laid out as its dataset is published."""


@dataclass(frozen=True)
class Item:
    """One thing that gets one vector.

    `labels` are keys of the dataset's classes (of several, any is right), `captions` texts that
    should find it. `source` names the recording, video or picture it was cut from ("" if it stands
    alone): items of one source are not independent. `span_s` is the part of the file meant, in
    seconds; `box` left, top, right and bottom in pixels; `frame` the place in a file of many.
    """

    file: Path
    labels: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    source: str = ""
    fold: str = ""
    span_s: tuple[float, float] | None = None
    box: tuple[int, int, int, int] | None = None
    frame: int | None = None


Views = Callable[[ModalityName, Item], Iterator[Inputs]]
"""Makes the model inputs of an item whose vectors' mean stands for it."""


def whole_file(modality: ModalityName, item: Item) -> Iterator[Inputs]:
    """All of an item's file, as ImageBind's published code looks at files (see `file_views`)."""
    yield from file_views(modality, item.file)


@dataclass(frozen=True)
class Dataset:
    """What a reader found.

    Attributes:
        classes: the names a label goes by; an item's score for a label is its best over them. Empty
            for retrieval.
        modalities: what items are embedded as. Of several, the first is measured alone, and then
            all of them together, weighted by `weights`; only the first must be there.
        absent: how many items the metadata list that are not on disk, where that is to be expected
            (videos are taken off the web). Elsewhere they are items that cannot be read.
        notes: what a reader of the figures has to know.
    """

    items: Sequence[Item]
    task: Task
    modalities: tuple[ModalityName, ...]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: tuple[float, ...] = (1.0,)
    views: Views = whole_file
    absent: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a reader is asked for.

    `path` is the dataset's folder (or list), `modality` what to read files as where that is open,
    `seed` draws what a protocol leaves to chance, `disparity_scale` multiplies disparities (see
    `features.depth`).
    """

    path: Path
    modality: ModalityName | None = None
    seed: int = 0
    disparity_scale: float = 1.0


@dataclass(frozen=True)
class Protocol:
    """A row of the published table.

    Attributes:
        name: what the command line calls it.
        modality: what is embedded, for people.
        n: how many items the published figures are over; 0 if there are none.
        published: percent by metric, of imagebind_huge (arXiv 2305.05665, tables 2 to 4).
        layout: what the folder should hold.
        found: where the dataset is found; "" if it is the user's own.
        approximate: why figures cannot be compared exactly; "" if they can.
        classes: how many there are to choose from; 0 where it is open.
    """

    name: str
    title: str
    modality: str
    metric: str
    n: int
    published: Mapping[str, float]
    layout: str
    found: str
    read: Callable[[Asked], Dataset]
    approximate: str = ""
    classes: int = 0

    @property
    def layout_and_place(self) -> str:
        """What the folder should hold, and where to find it, in sentences."""
        return f"{self.layout}." + (f" Found at: {self.found}." if self.found else "")
