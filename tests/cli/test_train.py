"""bindstream train, from lists of recordings to a model that runs."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bindstream import Embedding, Pipeline, load_model
from bindstream.config import Config
from bindstream.models import model_directory
from bindstream.models.directory import read_spec
from bindstream.models.loading import read_tensors
from tests.training import made
from tests.training.spoken import Said, course, say

STARTER = model_directory("starter")
EXAMPLES = Path(__file__).parents[2] / "configs" / "train"


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """Tones of four classes in five rooms, learned in one epoch."""
    folder = tmp_path_factory.mktemp("sounds")
    manifest = made.classes(folder, sources=5, length_s=40)
    path = made.configured(folder, manifest, "audio", evaluations=2, recipe={"rate": 3e-3})
    return folder, say("train", path, "--json")


def test_an_epoch_of_sounds_against_words_lowers_the_loss_and_finds_classes_above_chance(
    heard: tuple[Path, Said],
) -> None:
    folder, said = heard
    tower = said.tower
    assert tower["steps"] == tower["trained_on"]["windows"] // 8 == 78
    rows = course(folder / "made.work")
    assert [row["progress"] for row in rows if row["r1"]] == ["0.5", "1"]
    assert float(rows[-1]["loss"]) < 0.97 * float(rows[0]["loss"])
    before, after, chance = tower["before"], tower["after"], tower["chance"]
    assert after["held_out_loss"] < 0.85 * before["held_out_loss"]
    assert chance["top1"] == chance["r1"] == 0.25
    assert min(after["top1"], after["r1"]) > 1.5 * chance["top1"] >= 1.5 * before["top1"]
    assert tower["held_out"] == {"windows": 80, "sources": 1}
    assert tower["trained_on"]["sources"] == 4


def test_an_epoch_of_motion_against_sound_of_the_same_moments_is_learned(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = []
    for n in range(8):
        speeds = rng.permutation(8)
        made.sung(tmp_path / f"{n}.wav", [200 * 1.6**s for s in speeds], 10, n)
        made.motion(tmp_path / f"{n}.npz", [1.45**s for s in speeds], 10, n)
        rows.append({"file": f"{n}.npz", "with_file": f"{n}.wav", "with_modality": "audio"})
    manifest = made.listed(tmp_path / "pairs.csv", rows)
    path = made.configured(tmp_path, manifest, "imu", evaluations=2, recipe={"batch": 4})
    said = say("train", path, "--json")
    tower = said.tower
    first, *_, last = course(tmp_path / "made.work")
    assert float(last["loss"]) < 0.97 * float(first["loss"])
    assert tower["after"]["held_out_loss"] < 0.8 * tower["before"]["held_out_loss"]
    assert tower["after"]["mrr"] > 1.5 * tower["chance"]["mrr"]
    assert tower["after"]["r5"] > 2 * tower["chance"]["r5"]
    assert "each file is taken for a source of its own" in said.err


def test_the_model_has_the_bases_towers_and_the_new_one(heard: tuple[Path, Said]) -> None:
    folder, said = heard
    base, spec = read_spec(STARTER), read_spec(folder / "made")
    assert said.record["model"] == {"name": "made", "fingerprint": spec.fingerprint}
    assert set(spec.towers) == set(base.towers)
    assert spec.towers["audio"].width == 32
    for modality in set(spec.towers) - {"audio"}:
        assert spec.towers[modality] == base.towers[modality]
        name = f"{modality}.safetensors"
        theirs = dict(read_tensors(STARTER / name))
        assert all(t.equal(theirs[key]) for key, t in read_tensors(folder / "made" / name))
    model = load_model(folder / "made", device="cpu")
    assert min(model.golden.values()) > 0.999
    assert model.warnings == {}


def test_the_card_says_data_recipe_figures_and_that_vectors_are_not_comparable(
    heard: tuple[Path, Said],
) -> None:
    folder, said = heard
    base, spec = read_spec(STARTER), read_spec(folder / "made")
    card = (folder / "made" / "MODEL_CARD.md").read_text()
    for words in (
        "sounds.csv: 20 rows of audio, 4 of them held out",
        f"bindstream train {folder / 'training.yaml'} --threads 1",
        "batch 8",
        f"| {said.tower['after']['top1']:.3f} | 0.250 |",
        f"({base.fingerprint}) are not comparable with those of this model ({spec.fingerprint})",
    ):
        assert words in card
    assert said.record["notes"][-1] in card
    assert spec.licence.startswith(base.licence)
    assert spec.notes["base"]["fingerprint"] == base.fingerprint
    for name in (f"MODEL_CARD_{base.fingerprint}.md", base.notes["credits"]):
        assert (folder / "made" / name).is_file()
    assert set(spec.background["audio"]) == set(made.PITCHES_HZ)
    assert not any("ESC-10" in limit for limit in spec.limits if limit.startswith("audio"))
    with Image.open(folder / "made" / "audio_curve.png") as picture:
        assert picture.size[0] > 500


def test_the_model_runs(heard: tuple[Path, Said]) -> None:
    folder, _ = heard
    config = Config.model_validate(
        {
            "model": {"name": str(folder / "made"), "device": "cpu"},
            "streams": [
                {
                    "name": "mic",
                    "source": {
                        "kind": "microphone",
                        "file": str(folder / "dog_0.wav"),
                        "speed": "max",
                    },
                }
            ],
            "queries": [{"text": "dog"}],
        }
    )
    vectors = [r.vector for r in Pipeline(config) if isinstance(r, Embedding)]
    assert len(vectors) >= 38
    model = load_model(folder / "made", modalities=["text"], device="cpu")
    words = model.encode_text(list(made.PITCHES_HZ))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (np.stack(vectors) @ words.T).shape == (len(vectors), 4)


def test_a_training_that_was_begun_or_a_model_is_not_overwritten_unasked(
    heard: tuple[Path, Said],
) -> None:
    folder, _ = heard
    said = say("train", folder / "training.yaml")
    assert said.code == 2
    assert "Go on with it: --resume; or begin anew: --force." in said.err
    before = (folder / "made" / "model.json").read_bytes()
    again = say("train", folder / "training.yaml", "--resume", "--json")
    assert again.tower["after"] == heard[1].tower["after"]
    assert (folder / "made" / "model.json").read_bytes() == before
    assert again.record["anchors"] == {"computed": 0, "reused": 1}
    (folder / "elsewhere").mkdir()
    shutil.copy(folder / "made" / "model.json", folder / "elsewhere")
    for asked in ((), ("--resume",)):  # there is nothing to go on with that made it
        said = say("train", folder / "training.yaml", "--out", folder / "elsewhere", *asked)
        assert said.code == 2
        assert "there is a model already" in said.err


def test_a_model_is_not_put_among_other_files(heard: tuple[Path, Said], tmp_path: Path) -> None:
    folder, _ = heard
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    for out in (tmp_path / "photos", tmp_path / "photos" / "cat.jpg"):
        said = say("train", folder / "training.yaml", "--out", out)
        assert said.code == 2
        assert f"{out}: there is something else already" in said.err
    assert list(tmp_path.rglob("*")) == [tmp_path / "photos", tmp_path / "photos" / "cat.jpg"]


def test_other_pairs_or_another_draw_are_not_gone_on_with(
    heard: tuple[Path, Said], tmp_path: Path
) -> None:
    """Sources that were trained on would be measured with."""
    folder, _ = heard
    made.configured(folder, folder / "sounds.csv", "audio", seed=5, out="made")
    try:
        said = say("train", folder / "training.yaml", "--resume")
    finally:
        made.configured(folder, folder / "sounds.csv", "audio", out="made")
    assert said.code == 2
    assert "the pairs or sources held out changed" in said.err


def test_everything_that_is_wrong_is_said_at_once_by_line(tmp_path: Path) -> None:
    made.tone(tmp_path / "good.wav", 300, 3, 0)
    (tmp_path / "bad.wav").write_bytes(b"RIFF and no more")
    rows = [
        {"file": "good.wav", "class": "dog"},
        {"file": "bad.wav", "class": "dog"},
        {"file": "none.wav", "class": "cat"},
        {"file": "good.wav", "class": "dog", "start_s": "nan"},
        {"file": "good.wav", "class": "dog", "start_s": 2, "end_s": 30},
        {"file": "good.wav", "class": "dog", "text": "a dog"},
    ]
    path = made.configured(tmp_path, made.listed(tmp_path / "pairs.csv", rows), "audio")
    said = say("train", path)
    assert said.code == 2
    lines = [int(n) for n in re.findall(r"pairs\.csv:(\d+): ", said.err)]
    assert lines == [3, 4, 5, 6, 7]
    assert not (tmp_path / "made").exists()


def test_a_missing_package_is_said_before_any_recording_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    manifest = made.listed(tmp_path / "pairs.csv", [{"file": "none.wav", "class": "dog"}])
    said = say("train", made.configured(tmp_path, manifest, "audio"))
    assert said.code == 1
    assert "Curves need" in said.err
    assert "bindstream[train]" in said.err


def test_two_towers_from_a_model_that_was_trained_itself(
    heard: tuple[Path, Said], tmp_path: Path
) -> None:
    """Their sources are held out together, and the cards of all that it was made of come along."""
    rows = []
    for n in range(6):
        made.motion(tmp_path / f"{n}.npz", [2.0 + 6 * (n % 2)], 10, n)
        made.tone(tmp_path / f"{n}.wav", 400, 4, n)
        for name, modality in ((f"{n}.npz", "imu"), (f"{n}.wav", "audio")):
            words = ("walking", "shaking")[n % 2]
            rows.append({"file": name, "modality": modality, "class": words, "source": f"{n // 2}"})
    manifest = made.listed(tmp_path / "pairs.csv", rows)
    recipe = {"steps": 2, "batch": 4}
    size = {**made.TINY, "patch": 50, "stride": 50}
    towers = [
        {"modality": "imu", "start": "fresh", "size": size, "recipe": recipe},
        {"modality": "audio", "recipe": recipe},
    ]
    base = heard[0] / "made"
    given = {"towers": towers, "base": str(base), "data": {"modality": None}}
    path = made.configured(tmp_path, manifest, "imu", **given)
    record = say("train", path, "--json").record
    imu, audio = record["towers"]
    assert [imu["held_out"]["sources"], audio["held_out"]["sources"]] == [1, 1]
    assert [imu["trained_on"]["sources"], audio["trained_on"]["sources"]] == [2, 2]
    assert (imu["start"], audio["start"]) == ("fresh", "base")
    spec = read_spec(tmp_path / "made")
    cards = {path.name for path in (tmp_path / "made").glob("MODEL_CARD*")}
    prints = (read_spec(STARTER).fingerprint, read_spec(base).fingerprint)
    assert cards == {"MODEL_CARD.md", *(f"MODEL_CARD_{one}.md" for one in prints)}
    assert (tmp_path / "made" / "ATTRIBUTION.csv").is_file()
    assert spec.towers["audio"] == read_spec(base).towers["audio"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_run(path: Path, tmp_path: Path) -> None:
    said = say("train", path, "--out", tmp_path / "made", "--minutes", 0.03, "--json")
    assert said.tower["held_out"]["sources"] >= 2
    assert said.record["directory"] == str(tmp_path / "made")
    assert load_model(tmp_path / "made", device="cpu").warnings == {}


def test_words_that_the_base_does_not_know_are_named(tmp_path: Path) -> None:
    for n in range(4):
        made.tone(tmp_path / f"{n}.wav", made.PITCHES_HZ["dog"] * (1 + n % 2), 3, n)
    rows = [{"file": f"{n}.wav", "class": ("zzyzx", "dog")[n % 2]} for n in range(4)]
    manifest = made.listed(tmp_path / "pairs.csv", rows)
    path = made.configured(
        tmp_path, manifest, "audio", recipe={"epochs": 0, "steps": 1, "batch": 64}
    )
    said = say("train", path)
    assert said.code == 0
    assert "the base has never seen the words 'zzyzx'" in said.err
    assert "fewer than a batch of 64" in said.err
    assert "comes to 1 steps" in said.err
    assert "bindstream embed FILE --modality audio" in said.out


PROGRAM = """
import sys, time, torch
from bindstream.training import trainer
trainer.KEEP_EVERY_S = trainer.SHOW_EVERY_S = 0.2
loss = trainer.contrastive_loss
def slowly(*given):  # so that a busy machine does not stop it too late
    time.sleep(0.06)
    return loss(*given)
trainer.contrastive_loss = slowly
from bindstream.cli import main
main(sys.argv[1:])
"""


def begun(path: Path) -> subprocess.Popen[str]:
    """A training in a process of its own, once it has left checkpoints and made some steps."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "train", str(path), "--threads", "1"],
        stderr=subprocess.PIPE,
        text=True,
    )
    work = path.parent / "made.work"
    until_s = time.monotonic() + 90
    while not ((work / "audio.pt").is_file() and int(course(work)[-1]["step"]) >= 40):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < until_s
        time.sleep(0.1)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_training_goes_on_after_a_kill_and_after_ctrl_c(
    tmp_path: Path, how: signal.Signals
) -> None:
    manifest = made.classes(tmp_path, sources=3, length_s=8)
    steps = {"epochs": 0, "steps": 300}
    path = made.configured(tmp_path, manifest, "audio", evaluations=30, recipe=steps)
    process = begun(path)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    if how is signal.SIGINT:
        assert process.returncode == 1
        assert f"Go on with: bindstream train {path} --threads 1 --resume" in err
    else:
        assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "made" / "model.json").exists()
    stopped = torch.load(tmp_path / "made.work" / "audio.pt", weights_only=True)["step"]
    assert 10 <= stopped < 300
    said = say("train", path, "--resume", "--json")
    assert said.tower["steps"] == 300
    assert said.record["anchors"] == {"computed": 0, "reused": 1}
    found = [int(row["step"]) for row in course(tmp_path / "made.work")]
    assert found == sorted(set(found))
    assert found[-1] == 300
    first = re.search(r"^audio (\d+)%", said.err, re.M)
    assert first is not None
    assert int(first[1]) >= 100 * stopped // 300  # what was done is not done again
