from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import Module

from bindstream.models import towers
from bindstream.models.directory import CARD, GOLDEN, digest
from bindstream.models.golden import golden_vectors
from bindstream.models.sizes import TowerConfig
from tests.cli.conftest import Command
from tests.models import aligned, narrow

pytest.importorskip("soundfile")


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> aligned.Things:
    return aligned.save(tmp_path_factory.mktemp("things"), aligned.SCALES)


def asked(things: aligned.Things) -> tuple[object, ...]:
    files = ("--images", *things.images, "--sounds", *things.sounds)
    return ("model", "verify", things.directory, *files, "--device", "cpu")


def test_a_model_that_tells_things_apart_passes(
    bindstream: Command, things: aligned.Things
) -> None:
    shown = bindstream(*asked(things))
    assert shown.code == 0, shown.err
    assert "all 6 are as model.json says" in shown.out
    assert "golden vectors: as they were saved (cosines vision 1.0000" in shown.out
    for table in ("vision x text", "audio x text", "vision x audio"):
        assert f"✓ {table}: the diagonal, 1.000, 1.000, 1.000" in shown.out
    for name in (*aligned.TEXTS, "dog_image.png", "bird_audio.wav"):
        assert name in shown.out
    assert "this model is not the published imagebind_huge" in shown.out


def test_without_files_the_model_alone_is_checked(
    bindstream: Command, things: aligned.Things
) -> None:
    shown = bindstream("model", "verify", things.directory, "--precision", "float32")
    assert shown.code == 0
    assert "all 6 are as model.json says" in shown.out
    assert "vision, audio, text, imu in float32: asked for" in shown.out
    assert "imu 1.0000" in shown.out  # a tower that no table needs
    assert " x " not in shown.out
    said = json.loads(bindstream("model", "verify", things.directory, "--json").out)
    assert (said["tables"], said["holds"]) == ([], True)
    (things.directory / "text.safetensors").rename(things.directory / "away")
    try:
        shown = bindstream("model", "verify", things.directory)
    finally:
        (things.directory / "away").rename(things.directory / "text.safetensors")
    assert shown.code == 1
    assert "text.safetensors" in shown.err


def test_golden_vectors_are_computed_once_a_tower(
    bindstream: Command, things: aligned.Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []

    def noted(tower: Module, config: TowerConfig) -> Tensor:
        computed.append(config.modality)
        return golden_vectors(tower, config)

    monkeypatch.setattr(towers, "golden_vectors", noted)
    shown = bindstream("model", "verify", things.directory, "--precision", "float32")
    assert shown.code == 0
    assert sorted(computed) == ["audio", "imu", "text", "vision"]


def test_a_model_that_does_not_fails(bindstream: Command, things: aligned.Things) -> None:
    shown = bindstream(*asked(things), "-t", "A dog.", "-t", "A bird", "-t", "A car")
    assert shown.code == 1
    assert "✗ vision x text" in shown.out
    assert "the largest in 1 of 3 rows" in shown.out
    assert "✓ vision x audio" in shown.out


def test_as_json_it_says_the_same(bindstream: Command, things: aligned.Things) -> None:
    shown = bindstream(*asked(things), "--json")
    said = json.loads(shown.out)
    assert said["holds"] is True
    assert said["files"] == 6
    assert set(said["golden"]) == {"vision", "audio", "text"}
    first, second, third = said["tables"]
    assert (first["rows"], first["columns"]) == ("vision", "text")
    assert second["column_names"] == list(aligned.TEXTS)
    assert third["row_names"] == ["dog_image.png", "car_image.png", "bird_image.png"]
    for table in said["tables"]:
        assert table["published"] is None
        assert [sum(row) for row in table["shares"]] == pytest.approx([1, 1, 1])
    assert second["shares"][1][1] == pytest.approx(1, abs=1e-6)


def test_two_things_are_enough(bindstream: Command, things: aligned.Things) -> None:
    files = ("--images", *things.images[:2], "--sounds", *things.sounds[:2])
    shown = bindstream(
        "model", "verify", things.directory, *files, "-t", "a dog", "--text", "a zebra"
    )
    assert "1.000" in shown.out
    assert "never seen 'zebra'" in shown.err


def test_damaged_files_are_named_before_anything_is_computed(
    bindstream: Command, things: aligned.Things, tmp_path: Path
) -> None:
    copy = things._replace(directory=tmp_path / "copy")
    shutil.copytree(things.directory, copy.directory)
    whole = (copy.directory / "imu.safetensors").read_bytes()
    (copy.directory / "imu.safetensors").write_bytes(whole[:-1])
    shown = bindstream(*asked(copy))
    assert shown.code == 1
    assert "imu.safetensors" in shown.err
    assert "truncated" in shown.err
    assert not shown.out


def test_a_tower_that_gives_other_vectors_than_saved_ends_it(
    bindstream: Command, things: aligned.Things, tmp_path: Path
) -> None:
    copy = things._replace(directory=tmp_path / "copy")
    shutil.copytree(things.directory, copy.directory)
    golden = load_file(copy.directory / GOLDEN)
    save_file({**golden, "audio": -golden["audio"]}, copy.directory / GOLDEN)
    card = json.loads((copy.directory / CARD).read_text())
    card["files"][GOLDEN]["sha256"] = digest(copy.directory / GOLDEN)
    (copy.directory / CARD).write_text(json.dumps(card))
    shown = bindstream(*asked(copy))
    assert shown.code == 1
    assert "audio" in shown.err
    assert "cosine -1.0000" in shown.err
    assert "x text" not in shown.out


def test_missing_files_are_named_with_where_the_published_ones_are(
    bindstream: Command, things: aligned.Things, tmp_path: Path
) -> None:
    gone = things._replace(images=[tmp_path / "gone.jpg", *things.images[1:]])
    shown = bindstream(*asked(gone))
    assert shown.code == 1
    assert f"There is no file {tmp_path / 'gone.jpg'}" in shown.err
    assert ".assets" in shown.err
    assert "facebookresearch/ImageBind" in shown.err


def test_a_file_that_cannot_be_read_is_named(
    bindstream: Command, things: aligned.Things, tmp_path: Path
) -> None:
    (tmp_path / "junk.wav").write_bytes(b"junk")
    shown = bindstream(*asked(things._replace(sounds=[*things.sounds[:2], tmp_path / "junk.wav"])))
    assert shown.code == 1
    assert "junk.wav" in shown.err
    assert "Give a WAV" in shown.err


def test_unequal_counts_are_wrong_usage(bindstream: Command, things: aligned.Things) -> None:
    for uneven in (things._replace(images=things.images[:2]), things._replace(sounds=[])):
        assert bindstream(*asked(uneven)).code == 2
    one = things._replace(images=things.images[:1], sounds=things.sounds[:1])
    shown = bindstream(*asked(one), "-t", "a dog")
    assert shown.code == 2
    assert "images: 1, sounds: 1, texts: 1" in shown.err


def test_a_model_that_lacks_a_tower_says_how_to_get_it(
    bindstream: Command, things: aligned.Things, tmp_path: Path
) -> None:
    narrow.save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    del card["towers"]["audio"]
    (tmp_path / CARD).write_text(json.dumps(card))
    shown = bindstream(*asked(things._replace(directory=tmp_path)))
    assert shown.code == 1
    assert "no tower for audio" in shown.err
    assert "Import it again" in shown.err


def test_the_starter_can_be_asked_by_its_name(bindstream: Command, things: aligned.Things) -> None:
    shown = bindstream("model", "verify", "starter", *asked(things)[3:])
    assert shown.code in (0, 1)  # what it makes of coloured noise is its own affair
    assert "vision x audio" in shown.out
    assert "ImageBind's only" in shown.out
