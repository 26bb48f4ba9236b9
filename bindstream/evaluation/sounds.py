"""Readers of datasets of sound: ESC-50, AudioSet, VGGSound, Clotho and AudioCaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bindstream.evaluation.files import (
    WITH_SOUND,
    Shelf,
    as_classes,
    find,
    media,
    number,
    read_rows,
    read_table,
)
from bindstream.evaluation.records import Asked, Dataset, Item, LayoutError, Task
from bindstream.features.views import sound_views
from bindstream.features.whole import read_channels
from bindstream.file_inputs import SOUNDS, Inputs
from bindstream.records import ModalityName

CLIP_S = 10  # of VGGSound and AudioCaps, as of AudioSet


def read_esc50(asked: Asked) -> Dataset:
    """meta/esc50.csv (filename, fold, category, src_file) and audio/."""
    table = find(asked.path, "meta/esc50.csv")
    rows = read_table(table, "filename", "fold", "category", "src_file")
    audio = table.parent.parent / "audio"
    items = [
        Item(
            audio / row["filename"],
            labels=(row["category"],),
            source=row["src_file"],
            fold=row["fold"],
        )
        for row in rows
    ]
    return Dataset(items, "classes", ("audio",), as_classes(row["category"] for row in rows))


def read_audioset(asked: Asked) -> Dataset:
    """eval_segments.csv (video, start, end, labels) and class_labels_indices.csv."""
    names = {
        row["mid"]: (row["display_name"],)
        for row in read_table(find(asked.path, "class_labels_indices.csv"), "mid", "display_name")
    }
    table = find(asked.path, "eval_segments.csv")
    items: list[Item | None] = []
    shelf = Shelf(asked.path, WITH_SOUND)
    for video, start, end, labels, *_ in read_rows(table, 4):
        span_s = (number(start, table), number(end, table))
        known = tuple(label for label in labels.split(",") if label in names)
        file = shelf.segment(video, *span_s)
        items.append(Item(file, known, span_s=span_s) if file and known else None)
    return _of_the_web(items, "tags", names, asked.path)


def read_vggsound(asked: Asked) -> Dataset:
    """vggsound.csv (video, start, label, train or test): its test split."""
    table = find(asked.path, "vggsound.csv")
    rows = read_rows(table, 4)
    items: list[Item | None] = []
    shelf = Shelf(asked.path, WITH_SOUND)
    for video, start, label, split, *_ in rows:
        if split.strip() == "test":
            span_s = (number(start, table), number(start, table) + CLIP_S)
            file = shelf.segment(video, *span_s)
            items.append(Item(file, (label,), source=video, span_s=span_s) if file else None)
    names = {label: (label,) for label in sorted({row[2] for row in rows})}
    return _of_the_web(items, "classes", names, asked.path)


def read_clotho(asked: Asked) -> Dataset:
    """clotho_captions_evaluation.csv (file_name, caption_1 to caption_5) and evaluation/."""
    table = find(asked.path, "clotho_captions_evaluation.csv")
    rows = read_table(table, "file_name", "caption_1")
    there = {path.name: path for path in media(asked.path, SOUNDS)}
    items = [
        Item(
            there.get(row["file_name"], asked.path / "evaluation" / row["file_name"]),
            captions=tuple(
                caption
                for column, caption in row.items()
                if column.startswith("caption_") and caption.strip()
            ),
        )
        for row in rows
    ]
    return Dataset(items, "retrieval", ("audio",))


def read_audiocaps(asked: Asked) -> Dataset:
    """test.csv (youtube_id, start_time, caption), five captions a clip."""
    captions: dict[tuple[str, float], list[str]] = {}
    table = find(asked.path, "test.csv")
    for row in read_table(table, "youtube_id", "start_time", "caption"):
        clip = (row["youtube_id"], number(row["start_time"], table))
        captions.setdefault(clip, []).append(row["caption"])
    items: list[Item | None] = []
    shelf = Shelf(asked.path, WITH_SOUND)
    for (video, start_s), texts in captions.items():
        span_s = (start_s, start_s + CLIP_S)
        file = shelf.segment(video, *span_s)
        item = Item(file, captions=tuple(texts), span_s=span_s) if file else None
        items.append(item)
    return _of_the_web(items, "retrieval", {}, asked.path)


def segment_views(modality: ModalityName, item: Item) -> Iterator[Inputs]:
    """Three clips of a segment of a web video.

    Its span is cut out of a file that reaches to the span's end; a shorter file was cut already.
    """
    wave, rate_hz = read_channels(item.file)
    if item.span_s is not None:
        start, end = (round(at_s * rate_hz) for at_s in item.span_s)
        if len(wave) >= end:
            wave = wave[start:end]
    yield from sound_views(wave, rate_hz)


def _of_the_web(
    listed: list[Item | None], task: Task, classes: Mapping[str, tuple[str, ...]], folder: Path
) -> Dataset:
    items = [item for item in listed if item is not None]
    if not items:
        raise LayoutError(
            f"of {len(listed)} listed segments there is no sound file.", where=str(folder)
        )
    return Dataset(
        items,
        task,
        ("audio",),
        classes,
        views=segment_views,
        absent=len(listed) - len(items),
    )
