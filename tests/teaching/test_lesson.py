"""Lessons: files in, a query and what is amiss with it out; order and repetition change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.errors import ConfigError, DataError
from bindstream.models.encoder import Model
from bindstream.teaching.examples import modality_of
from bindstream.teaching.lesson import Learnt, Lesson, again, learn
from bindstream.teaching.taught import save_taught
from tests.teaching.recordings import beeps, hum, noise, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """beep0 to beep3, hum0 to hum3 and room0, all of 2 s."""
    made = tmp_path_factory.mktemp("sounds")
    for i in range(4):
        write(made / f"beep{i}.wav", beeps(i))
        write(made / f"hum{i}.wav", hum(i))
    write(made / "room0.wav", noise(0))
    return made


def taught(
    model: Model, folder: Path, names: Sequence[str], negatives: Sequence[str] = (), **more: Any
) -> Learnt:
    files, others = ([folder / f"{name}.wav" for name in part] for part in (names, negatives))
    lesson = Lesson("beep", modality_of(files), files, others, **more)
    return learn(model, lesson, folder)


def test_new_recordings_of_it_score_above_the_level_and_others_below(
    starter: Model, folder: Path
) -> None:
    learnt = taught(starter, folder, ["beep0", "beep1", "beep2"])
    query = learnt.taught
    assert (query.method, query.pull, query.modality) == ("prototype", None, "audio")
    assert query.model.fingerprint == starter.fingerprint
    assert query.dim == starter.dim
    assert starter.embed("audio", beeps(9)) @ query.unit > query.level
    for other in (hum(9), noise(9)):
        assert starter.embed("audio", other) @ query.unit < query.level
    assert learnt.doubts == ()
    np.testing.assert_allclose(learnt.fit.vector, query.unit)


def test_the_least_score_divides_what_is_found_from_what_is_not(
    starter: Model, folder: Path
) -> None:
    learnt = taught(starter, folder, ["beep0", "beep1"], ["hum0"])
    below, above = learnt.fit.shares(learnt.least_score + np.array([-1e-6, 1e-6]))
    assert not learnt.found(below)
    assert learnt.found(above)


def test_each_file_is_written_down_with_its_score(starter: Model, folder: Path) -> None:
    learnt = taught(starter, folder, ["beep0", "beep1", "beep2"], ["hum0", "hum1"])
    query = learnt.taught
    assert [each.file for each in query.examples] == ["beep0.wav", "beep1.wav", "beep2.wav"]
    assert [each.file for each in query.negatives] == ["hum0.wav", "hum1.wav"]
    assert query.method == "ridge"
    assert min(each.score for each in query.examples) > query.level
    assert max(each.score for each in query.negatives) < query.level
    assert {each.windows for each in (*query.examples, *query.negatives)} == {1}


def test_the_order_of_files_changes_nothing(starter: Model, folder: Path) -> None:
    one = taught(starter, folder, ["beep0", "beep1", "beep2"], ["hum0", "room0"]).taught
    two = taught(starter, folder, ["beep2", "beep0", "beep1"], ["room0", "hum0"]).taught
    assert (one.vector, one.level) == (two.vector, two.level)
    assert {e.file: e.score for e in one.examples} == {e.file: e.score for e in two.examples}


def test_the_same_file_twice_counts_once_and_is_said(
    starter: Model, folder: Path, tmp_path: Path
) -> None:
    names = ["beep0", "beep1", "beep2"]
    copy = tmp_path / "copy.wav"
    copy.write_bytes((folder / "beep0.wav").read_bytes())
    files = [folder / f"{name}.wav" for name in names]
    learnt = learn(starter, Lesson("beep", "audio", [*files, copy]), folder)
    assert learnt.taught.vector == taught(starter, folder, names).taught.vector
    (doubt,) = learnt.doubts
    assert "copy.wav is the same file as" in doubt


def test_files_that_are_all_but_the_same_are_said(
    starter: Model, folder: Path, tmp_path: Path
) -> None:
    louder = write(tmp_path / "louder.wav", beeps(0) * np.float32(1.01))
    files = [folder / "beep0.wav", folder / "beep1.wav", folder / "beep3.wav", louder]
    doubts = learn(starter, Lesson("beep", "audio", files), folder).doubts
    assert [d for d in doubts if "beep0.wav and" in d and "louder.wav are all but the same" in d]


def test_few_examples_and_an_odd_one_are_said(starter: Model, folder: Path) -> None:
    assert "2 examples are few" in taught(starter, folder, ["beep0", "beep1"]).doubts[0]
    assert "1 example is few" in taught(starter, folder, ["beep0"]).doubts[0]
    odd = taught(starter, folder, ["beep0", "beep1", "beep2", "beep3", "hum0"]).doubts
    assert len(odd) == 1
    assert "hum0.wav: the others would not find it" in odd[0]


def test_a_negative_that_would_be_taken_for_an_example_is_said(
    starter: Model, folder: Path
) -> None:
    doubts = taught(
        starter, folder, ["beep0", "beep1", "beep2"], ["hum0", "hum1", "hum2", "beep3"]
    ).doubts
    assert len(doubts) == 1
    assert "beep3.wav: would be taken for an example" in doubts[0]


def test_words_are_mixed_in_by_their_weight(starter: Model, folder: Path) -> None:
    (words,) = starter.encode_text(["an alarm"])
    plain = taught(starter, folder, ["beep0", "beep1", "beep2"]).taught
    mixed = taught(
        starter, folder, ["beep0", "beep1", "beep2"], text=["an alarm"], text_weight=0.5
    ).taught
    assert (mixed.text, mixed.text_weight) == (("an alarm",), 0.5)
    expected = plain.unit + words
    np.testing.assert_allclose(mixed.unit, expected / np.linalg.norm(expected), atol=1e-5)


def test_every_file_that_cannot_be_used_is_named_at_once(
    starter: Model, folder: Path, tmp_path: Path
) -> None:
    silent = write(tmp_path / "silent.wav", np.zeros(32000, np.float32))
    files = [folder / "beep0.wav", silent]
    with pytest.raises(DataError) as refused:
        learn(starter, Lesson("beep", "audio", files, [tmp_path / "gone.wav"]), folder)
    said = str(refused.value)
    assert "2 of 3 files" in said
    assert "silent.wav: it holds nothing" in said
    assert "gone.wav: there is no such file" in said


def test_a_file_cannot_be_on_both_sides(starter: Model, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"hum0\.wav is given to --not, and as the example"):
        taught(starter, folder, ["beep0", "hum0"], ["hum0"])


def test_a_query_can_be_taught_again_from_its_file(
    starter: Model, folder: Path, tmp_path: Path
) -> None:
    files, others = [folder / "beep0.wav", folder / "beep1.wav"], [folder / "hum0.wav"]
    lesson = Lesson("beep", "audio", files, others, ["an alarm"], 0.3)
    first = learn(starter, lesson, tmp_path / "queries").taught
    save_taught(first, tmp_path / "queries" / "beep.json")
    second = learn(starter, again(first, tmp_path / "queries"), tmp_path / "queries").taught
    assert second.model_copy(update={"made": first.made}) == first
    with pytest.raises(DataError, match="names no examples"):
        again(first.model_copy(update={"examples": ()}), tmp_path)


def test_nothing_to_learn_from_and_far_too_much_are_refused(starter: Model, folder: Path) -> None:
    with pytest.raises(ConfigError, match="no examples"):
        learn(starter, Lesson("beep", "audio", []), folder)
    with pytest.raises(ConfigError, match="501 files are more than 500"):
        learn(starter, Lesson("beep", "audio", [folder / "beep0.wav"] * 501), folder)
