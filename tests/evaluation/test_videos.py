from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.evaluation.records import Asked
from bindstream.evaluation.videos import read_kinetics400, read_msrvtt
from tests.evaluation import layouts

pytest.importorskip("av")


def test_kinetics_finds_videos_flat_and_in_folders(tmp_path: Path) -> None:
    found = read_kinetics400(Asked(layouts.kinetics400(tmp_path)))
    assert [item.labels for item in found.items] == [("abseiling",), ("air drumming",)]
    assert list(found.classes) == ["abseiling", "air drumming", "zumba"]
    assert found.absent == 1
    views = list(found.views("vision", found.items[0]))
    assert np.stack(views).shape == (15, 3, 2, 224, 224)


def test_kinetics_as_a_list_takes_names_of_a_label_map_or_of_folders(tmp_path: Path) -> None:
    layouts.video(tmp_path / "val" / "air_drumming" / "a.mp4")
    layouts.video(tmp_path / "val" / "zumba" / "b.mp4")
    layouts.lines(
        tmp_path / "kinetics400_val_list_videos.txt",
        "air_drumming/a.mp4 0",
        "zumba/b.mp4 1",
        "zumba/c.mp4 1",
    )
    found = read_kinetics400(Asked(tmp_path))
    assert dict(found.classes) == {"air_drumming": ("air drumming",), "zumba": ("zumba",)}
    assert found.absent == 1
    layouts.lines(tmp_path / "label_map_k400.txt", "drumming in the air", "zumba")
    found = read_kinetics400(Asked(tmp_path))
    assert found.items[0].labels == ("drumming in the air",)


def test_msrvtt_has_a_sentence_a_video_and_weighs_its_sound(tmp_path: Path) -> None:
    found = read_msrvtt(Asked(layouts.msrvtt(tmp_path)))
    assert found.modalities == ("vision", "audio")
    assert found.weights == (0.95, 0.05)
    assert found.items[0].captions == ("a person is connecting something to system",)
    assert [item.file.name for item in found.items] == [
        "video9770.mp4",
        "video9771.mp4",
        "video7020.mp4",
    ]
