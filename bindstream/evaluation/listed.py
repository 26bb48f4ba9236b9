"""Readers of your own data: a folder of classes, and a list of files with labels or texts."""

from __future__ import annotations

from pathlib import Path

from bindstream.errors import ConfigError, DataError
from bindstream.evaluation.files import (
    WITH_PICTURES,
    WITH_SOUND,
    as_classes,
    media,
    read_table,
)
from bindstream.evaluation.records import Asked, Dataset, Item, LayoutError
from bindstream.file_inputs import SOUNDS, VIDEOS
from bindstream.records import ModalityName
from bindstream.sources.camera import PICTURES
from bindstream.sources.raw16 import PICTURES_16

_RAW_VIDEOS = (".mkv", ".nut", ".avi")
SUFFIXES: dict[ModalityName, tuple[str, ...]] = {
    "audio": WITH_SOUND,
    "vision": WITH_PICTURES,
    "thermal": (*PICTURES_16, *_RAW_VIDEOS),
    "depth": (*PICTURES_16, *_RAW_VIDEOS),
    "imu": (".csv", ".npz", ".txt", ".log"),
}
_TOLD: dict[ModalityName, tuple[str, ...]] = {
    "audio": SOUNDS,
    "vision": (*PICTURES, *VIDEOS),
    "imu": (".csv", ".npz"),
}
"""What a file is taken for by its name, where no modality is asked for."""


def read_folder(asked: Asked) -> Dataset:
    """A folder for each class, named as the class is; files anywhere under it."""
    if not asked.path.is_dir():
        raise LayoutError("there is no such folder.", where=str(asked.path))
    classes = [p for p in sorted(asked.path.iterdir()) if p.is_dir() and p.name[0] != "."]
    known = {suffix for suffixes in _TOLD.values() for suffix in suffixes}
    wanted = SUFFIXES[asked.modality] if asked.modality else known
    items = [Item(file, (folder.name,)) for folder in classes for file in media(folder, wanted)]
    if not items:
        kind = f"{asked.modality} file" if asked.modality else "sound, picture, video or motion log"
        raise LayoutError(f"there is no {kind} in a folder of it.", where=str(asked.path))
    modality = asked.modality or _modality(items, asked.path)
    return Dataset(items, "classes", (modality,), as_classes(folder.name for folder in classes))


def read_csv(asked: Asked) -> Dataset:
    """Columns file and label, or file and text; and source where files come from the same one.

    Files are beside the list. A file that is listed several times has several labels or texts.
    """
    if not asked.path.is_file():
        raise LayoutError("there is no such list.", where=str(asked.path))
    rows = read_table(asked.path, "file")
    if not rows:
        raise LayoutError("it lists no file.", where=str(asked.path))
    columns = [name for name in ("label", "text") if name in rows[0]]
    if len(columns) != 1:
        raise LayoutError(
            "it needs a column label or a column text, and not both.", where=str(asked.path)
        )
    rows = read_table(asked.path, "file", *columns)
    said: dict[str, list[str]] = {}
    sources: dict[str, str] = {}
    for row in rows:
        said.setdefault(row["file"], []).append(row[columns[0]].strip())
        sources[row["file"]] = row.get("source", "")
    labelled = columns == ["label"]
    items = [
        Item(
            asked.path.parent / file,
            labels=tuple(words) if labelled else (),
            captions=() if labelled else tuple(words),
            source=sources[file],
        )
        for file, words in said.items()
    ]
    modality = asked.modality or _modality(items, asked.path)
    if not labelled:
        return Dataset(items, "retrieval", (modality,))
    classes = as_classes(label for item in items for label in item.labels)
    return Dataset(items, "classes", (modality,), classes)


def _modality(items: list[Item], where: Path) -> ModalityName:
    found: dict[ModalityName, Path] = {}
    for item in items:
        suffix = item.file.suffix.lower()
        modality = next((name for name, known in _TOLD.items() if suffix in known), None)
        if modality is None:
            raise DataError(
                f"by its name {item.file.name} is neither sound, picture, video nor motion log.",
                where=str(where),
                fix="Give --modality.",
            )
        found.setdefault(modality, item.file)
    if len(found) > 1:
        kinds = " and ".join(f"{name} ({file.name})" for name, file in found.items())
        raise ConfigError(f"there are {kinds}.", where=str(where), fix="Give --modality.")
    return next(iter(found))
