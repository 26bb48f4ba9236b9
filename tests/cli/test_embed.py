from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from bindstream.averaging import unit_mean, view_vectors
from bindstream.models import load_model
from tests.cli.conftest import Command


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    """Three sounds of 2, 5 and 2 s, with a file that is none in between."""
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(3)
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "bad.wav", "c.flac")]
    for path, seconds in zip(paths, (2, 5, 0, 2), strict=True):
        soundfile.write(path, rng.normal(0, 0.1, 16000 * seconds).astype(np.float32), 16000)
    paths[2].write_bytes(b"RIFF and nothing more")
    return paths


def test_cosines_and_shares_are_those_of_the_model(
    bindstream: Command, sounds: list[Path], tiny_model: Path
) -> None:
    shown = bindstream(
        *("embed", sounds[1], "--modality", "audio", "--model", tiny_model, "--json"),
        *("--text", "a dog barking", "--text", "glass breaking"),
    )
    assert shown.code == 0
    said = json.loads(shown.out)
    model = load_model(tiny_model, device="cpu")
    assert said["model"] == {"name": "tiny", "fingerprint": model.fingerprint}
    (file,) = said["files"]
    texts = model.encode_text(["a dog barking", "glass breaking"])
    cosines = (model.embed("audio", sounds[1]) @ texts.T).mean(axis=0)
    assert file["windows"] == 3
    assert list(file["cosine"].values()) == pytest.approx(cosines.tolist(), abs=1e-5)
    assert sum(file["probability"].values()) == pytest.approx(1)


def test_the_precision_asked_for_is_computed_in(
    bindstream: Command, sounds: list[Path], tmp_path: Path
) -> None:
    vectors = {}
    for precision in ("float32", "int8"):
        to = tmp_path / f"{precision}.npz"
        given = ("--modality", "audio", "--precision", precision, "--out", to)
        assert bindstream("embed", sounds[0], *given).code == 0
        vectors[precision] = np.load(to)["vectors"]
    cosines = (vectors["int8"] * vectors["float32"]).sum(-1)
    assert 0.99 < cosines.min() < 0.999999


def test_a_bad_file_is_reported_and_the_rest_goes_on(
    bindstream: Command, sounds: list[Path], tiny_model: Path, tmp_path: Path
) -> None:
    to = tmp_path / "vectors.npz"
    shown = bindstream(
        *("embed", *sounds, tmp_path / "none.wav"),
        *("--modality", "audio", "--model", tiny_model, "--out", to),
    )
    assert shown.code == 3
    assert "bad.wav" in shown.err
    assert "none.wav: there is no such file" in shown.err
    stored = np.load(to)
    assert [Path(name).name for name in stored["files"]] == ["a.wav", "b.wav", "c.flac"]
    assert stored["file_index"].tolist() == [0, 1, 1, 1, 2]
    assert np.linalg.norm(stored["vectors"], axis=1) == pytest.approx(1, abs=1e-5)


def test_averaged_each_file_is_one_row(
    bindstream: Command, sounds: list[Path], tiny_model: Path, tmp_path: Path
) -> None:
    good = [sounds[i] for i in (0, 1, 3)]
    asked = ("embed", *good, "--modality", "audio", "--model", tiny_model, "--average")
    to = tmp_path / "v.npz"
    shown = bindstream(*asked, "--out", to, "--json", "--text", "silence")
    assert shown.code == 0
    said = json.loads(shown.out)["files"]
    assert [file["views"] for file in said] == [3, 3, 3]
    stored = np.load(to)
    assert stored["file_index"].tolist() == [0, 1, 2]
    assert np.linalg.norm(stored["vectors"], axis=1) == pytest.approx(1, abs=1e-5)
    model = load_model(tiny_model, device="cpu")
    expected = np.stack([unit_mean(view_vectors(model, "audio", file)) for file in good])
    np.testing.assert_allclose(stored["vectors"], expected, atol=1e-5)
    cosines = (expected @ model.encode_text(["silence"]).T)[:, 0]
    assert [file["cosine"]["silence"] for file in said] == pytest.approx(cosines, abs=1e-5)
    assert "a.wav: 3 views averaged" in bindstream(*asked, "--out", to).out


def test_file_names_come_from_lists_and_standard_input(
    bindstream: Command,
    sounds: list[Path],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "list").write_text(f"{sounds[0]}\n\n{sounds[1]}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{sounds[3]}\n"))
    shown = bindstream(
        *("embed", f"@{tmp_path / 'list'}", "-", "--modality", "audio", "--json"),
        *("--model", tiny_model, "--text", "silence"),
    )
    assert shown.code == 0
    files = [file["file"] for file in json.loads(shown.out)["files"]]
    assert files == [str(sounds[i]) for i in (0, 1, 3)]


def test_words_the_model_never_saw_are_named(
    bindstream: Command, sounds: list[Path], tiny_model: Path
) -> None:
    shown = bindstream(
        *("embed", sounds[0], "-m", "audio", "--model", tiny_model, "--json"),
        *("--text", "a zeppelin"),
    )
    assert "'zeppelin'" in shown.err
    assert json.loads(shown.out)["files"]


def test_of_one_text_alone_no_share_is_shown(
    bindstream: Command, sounds: list[Path], tiny_model: Path
) -> None:
    given = ("embed", sounds[0], "-m", "audio", "--model", tiny_model, "--text", "a dog")
    assert "%" not in bindstream(*given).out
    assert "a dog (cosine " in bindstream(*given).out


def test_if_no_file_can_be_read_it_failed(
    bindstream: Command, sounds: list[Path], tiny_model: Path, tmp_path: Path
) -> None:
    given = ("-m", "audio", "--model", tiny_model, "--text", "a dog")
    shown = bindstream("embed", sounds[2], tmp_path, *given)
    assert shown.code == 1
    assert "it is a folder" in shown.err


def test_a_file_is_named_once_and_a_place_that_takes_no_vectors_in_a_line(
    bindstream: Command, tiny_model: Path, tmp_path: Path, sounds: list[Path]
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("t,ax,ay,az,gx,gy,gz\n0,0,0,9.8,0,0,0\n")
    shown = bindstream("embed", log, "-m", "imu", "--model", tiny_model, "--text", "a")
    assert shown.err.startswith(f"{log}: it has no time column. Head it time_s,")
    given = ("embed", sounds[0], "-m", "audio", "--model", tiny_model, "--out", "/dev/full")
    shown = bindstream(*given)
    assert (shown.code, shown.err) == (
        1,
        "/dev/full: it cannot be written: No space left on device.\n",
    )


@pytest.mark.parametrize(
    "args",
    [
        ("a.wav", "--modality", "audio"),
        ("a.wav", "--modality", "smell", "--text", "a"),
        ("a.wav", "--modality", "audio", "--out", "/nowhere/v.npz"),
        ("a.wav", "--modality", "audio", "--out", "{model}"),
        ("@/nowhere/list", "--modality", "audio", "--text", "a", "--model", "{model}"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    bindstream: Command, tiny_model: Path, args: tuple[str, ...]
) -> None:
    assert bindstream("embed", *(a.replace("{model}", str(tiny_model)) for a in args)).code == 2
