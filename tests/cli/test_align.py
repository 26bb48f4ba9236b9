"""bindstream align: the same training, said in a line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bindstream.models.directory import read_spec
from tests.training import made
from tests.training.spoken import Said, say

QUICK = ("--minutes", 0.02, "--json")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Motion of two classes by three wearers, in folders."""
    folder = tmp_path_factory.mktemp("moves")
    for name, rate_hz in (("walking", 2.0), ("shaking", 9.0)):
        for wearer in range(3):
            (folder / name / f"wearer {wearer}").mkdir(parents=True)
            made.motion(folder / name / f"wearer {wearer}" / "a.npz", [rate_hz], 12, wearer)
    return folder


@pytest.fixture(scope="module")
def aligned(shaken: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Said:
    out = tmp_path_factory.mktemp("aligned") / "wrist"
    given = ("--labelled", shaken, "--base", tiny_model, "--out", out)
    return say("align", "imu", *given, *QUICK)


def test_a_folder_of_classes_is_learned_with_wearers_held_out_together(
    aligned: Said, shaken: Path
) -> None:
    tower = aligned.tower
    out = Path(aligned.record["directory"])
    listed = rows(out.with_name("wrist.work") / "labelled.csv")
    assert {row["class"] for row in listed} == {"walking", "shaking"}
    assert sorted({row["source"] for row in listed}) == [f"wearer {n}" for n in range(3)]
    assert tower["held_out"]["sources"] == 1
    assert tower["trained_on"]["sources"] == 2
    assert tower["chance"]["top1"] == 0.5
    assert tower["start"] == "base"
    assert tower["recipe"]["minutes"] == 0.02
    assert tower["recipe"]["temperature"] == 0.2  # as published for motion


def test_the_model_is_written_and_the_next_command_is_said(
    aligned: Said, shaken: Path, tiny_model: Path
) -> None:
    out = Path(aligned.record["directory"])
    base, spec = read_spec(tiny_model), read_spec(out)
    assert spec.fingerprint == aligned.record["model"]["fingerprint"] != base.fingerprint
    assert spec.towers == base.towers
    unchanged = spec.files["audio.safetensors"] == base.files["audio.safetensors"]
    assert unchanged
    assert spec.files["imu.safetensors"] != base.files["imu.safetensors"]
    said = say(
        *("align", "imu", "--labelled", shaken, "--base", tiny_model, "--out", out),
        *("--minutes", 0.02, "--resume"),
    )
    assert said.code == 0
    assert f"bindstream embed FILE --modality imu --model {out}" in said.out
    assert "top1" in said.out
    assert "are not comparable with those of this model" in said.out


def test_a_list_with_labels_and_new_weights(shaken: Path, tiny_model: Path, tmp_path: Path) -> None:
    files = sorted(shaken.rglob("*.npz"))
    listed = [
        {"file": file, "label": file.parts[-3], "source": file.parts[-2], "start_s": 1}
        for file in files
    ]
    given = ("--labelled", made.listed(tmp_path / "moves.csv", listed), "--base", tiny_model)
    said = say("align", "imu", *given, "--out", tmp_path / "wrist", "--fresh", *QUICK)
    assert said.tower["start"] == "fresh"
    assert said.tower["held_out"]["sources"] == 1


def test_two_sensors_recorded_at_once(tiny_model: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = []
    for n in range(3):
        speeds = rng.permutation(4)
        files.append(made.motion(tmp_path / f"{n}.npz", [1.0 + 2 * s for s in speeds], 5, n))
        files.append(made.sung(tmp_path / f"{n}.wav", [99, *(200 * 2.0**s for s in speeds)], 5, n))
    given = ("--with", *files, "--offset-s", 5, "--base", tiny_model)
    said = say("align", "imu", *given, "--out", tmp_path / "belt", *QUICK)
    assert said.tower["held_out"]["sources"] == 1
    assert {row["offset_s"] for row in rows(tmp_path / "belt.work" / "with.csv")} == {"5.0"}
    alone = say(
        *("align", "imu", "--with", *files[:2], "--base", tiny_model, "--out", tmp_path / "one"),
        *QUICK,
    )
    assert alone.tower["after"] == {}
    assert "nothing is held out" in alone.err
    assert "nothing was held out" in read_spec(tmp_path / "one").limits[-1]


def test_a_list_of_pairs_and_a_modality_that_the_base_lacks(
    tiny_model: Path, tmp_path: Path
) -> None:
    for n in range(3):
        made.motion(tmp_path / f"{n}.npz", [1.0, 4.0], 6, n)
        made.sung(tmp_path / f"{n}.wav", [300, 900], 6, n)
    listed = made.listed(
        tmp_path / "pairs.csv", [{"file": f"{n}.npz", "with_file": f"{n}.wav"} for n in range(3)]
    )
    given = ("--paired", listed, "--with-modality", "audio", "--base", tiny_model)
    said = say("align", "imu", *given, "--out", tmp_path / "belt", *QUICK)
    assert said.tower["held_out"]["sources"] == 1
    assert said.tower["trained_on"]["windows"] == 16


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("smell", "--labelled", "."), "is no modality of files"),
        (("imu",), "there is nothing to learn from"),
        (("imu", "--labelled", "{empty}"), "there is no imu file in a folder of a class"),
        (("imu", "--labelled", "{empty}/none.csv"), "there is no file"),
        (("imu", "--with", "a.csv"), "--with takes two files, 1 are given"),
        (("imu", "--labelled", "{shaken}", "--offset-s", "2"), "--offset-s is for --with"),
        (("imu", "--labelled", "{shaken}", "--base", "nobody"), "No model of this name"),
        (("imu", "--labelled", "{shaken}", "--minutes", "0"), "0.01"),
    ],
)
def test_wrong_usage_is_said_with_the_way_out(
    shaken: Path, tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    given = [arg.format(empty=tmp_path, shaken=shaken) for arg in args]
    found = say("align", *given, "--out", tmp_path / "out")
    assert found.code in (1, 2)
    assert said in " ".join(found.err.split())
