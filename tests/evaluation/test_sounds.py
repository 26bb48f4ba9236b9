from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.evaluation.records import Asked, Item
from bindstream.evaluation.sounds import (
    read_audiocaps,
    read_audioset,
    read_clotho,
    read_esc50,
    read_vggsound,
    segment_views,
)
from bindstream.file_inputs import file_views
from tests.evaluation import layouts

soundfile = pytest.importorskip("soundfile")


def test_esc50_has_folds_sources_and_the_categories_of_its_table(tmp_path: Path) -> None:
    found = read_esc50(Asked(layouts.esc50(tmp_path)))
    assert dict(found.classes) == {
        "chirping_birds": ("chirping birds",),
        "dog": ("dog",),
        "rooster": ("rooster",),
    }
    assert [item.fold for item in found.items] == ["1", "1", "2", "2"]
    assert found.items[0].source == found.items[2].source == "100032"
    assert found.items[0].labels == ("dog",)
    assert found.items[0].file == tmp_path / "audio" / "1-100032-A-0.wav"


def test_a_table_without_its_columns_is_refused_by_name(tmp_path: Path) -> None:
    layouts.lines(tmp_path / "meta" / "esc50.csv", "filename,fold", "a.wav,1")
    with pytest.raises(DataError, match="no column category, src_file"):
        read_esc50(Asked(tmp_path))


def test_audioset_finds_segments_by_any_usual_name_and_counts_those_gone(tmp_path: Path) -> None:
    found = read_audioset(Asked(layouts.audioset(tmp_path)))
    assert [item.file.name for item in found.items] == [
        "Y--4gqARaEJE.wav",
        "-0_aBcDeF12_30000_40000.flac",
        "longVideo00.wav",
    ]
    assert found.absent == 1
    assert found.task == "tags"
    assert found.items[0].labels == ("/m/068hy", "/m/0bt9lr")
    assert found.classes["/m/068hy"] == ("Domestic animals, pets",)
    assert len(found.classes) == 4


def test_a_segment_is_cut_out_of_a_whole_video_and_not_out_of_itself(tmp_path: Path) -> None:
    whole = layouts.sound(tmp_path / "whole.wav", 4)
    wave, _ = soundfile.read(whole, dtype="float32")
    part = tmp_path / "part.wav"
    soundfile.write(part, wave[16000:32000], 16000)
    due = np.stack(list(file_views("audio", part)))
    cut = np.stack(list(segment_views("audio", Item(whole, span_s=(1.0, 2.0)))))
    np.testing.assert_allclose(cut, due, atol=1e-5)
    # A file that ends before the span does holds the segment alone.
    kept = np.stack(list(segment_views("audio", Item(part, span_s=(1.0, 2.0)))))
    np.testing.assert_allclose(kept, due, atol=1e-5)


def test_vggsound_takes_its_test_split_and_names_of_all_of_it(tmp_path: Path) -> None:
    found = read_vggsound(Asked(layouts.vggsound(tmp_path)))
    assert [item.labels for item in found.items] == [
        ("people marching",),
        ("waterfall burbling",),
    ]
    assert found.items[1].file.suffix == ".mp4"
    assert found.absent == 1
    assert list(found.classes) == ["people marching", "playing tennis", "waterfall burbling"]


def test_clotho_has_five_captions_a_clip(tmp_path: Path) -> None:
    found = read_clotho(Asked(layouts.clotho(tmp_path)))
    assert [len(item.captions) for item in found.items] == [5, 5]
    assert found.items[0].captions[0] == "A machine whines, then stops."
    assert found.items[0].file == tmp_path / "evaluation" / "Santa Motor.wav"
    assert (found.task, found.absent) == ("retrieval", 0)


def test_audiocaps_gathers_the_captions_of_a_clip(tmp_path: Path) -> None:
    found = read_audiocaps(Asked(layouts.audiocaps(tmp_path)))
    assert [len(item.captions) for item in found.items] == [2, 1]
    assert found.items[0].span_s == (20, 30)
    assert found.absent == 1


def test_a_start_that_is_no_number_is_named(tmp_path: Path) -> None:
    layouts.lines(tmp_path / "vggsound.csv", "abc,soon,dog,test")
    with pytest.raises(DataError, match="'soon' is not a number"):
        read_vggsound(Asked(tmp_path))
