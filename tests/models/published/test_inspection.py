from __future__ import annotations

import re

import pytest
import torch

from bindstream.errors import ModelError
from bindstream.models.published.inspection import check_values, divide, open_checkpoint
from tests.models.published import checkpoints
from tests.models.published.checkpoints import NARROW

HEAD = "modality_heads.imu.3.weight"
NORM = "modality_heads.imu.0.weight"


@pytest.fixture
def opened(tmp_path):
    """Opens state dicts that were saved as files of these names."""

    def save(**states):
        for name, state in states.items():
            torch.save(state, tmp_path / f"{name}.pth")
        return [open_checkpoint(tmp_path / f"{name}.pth") for name in states]

    return save


def refused(sources, towers=None) -> str:
    with pytest.raises(ModelError) as raised:
        divide(sources, towers, NARROW)
    return str(raised.value)


def test_a_whole_checkpoint_is_divided_into_all_its_towers(opened):
    parts = divide(opened(whole=checkpoints.imagebind()), None, NARROW)
    assert set(parts) == set(NARROW)
    shapes = {ours: entry.shape for ours, entry in parts["audio"].weights.items()}
    assert shapes["stem.weight"] == (32, 1, 16, 16)


def test_other_towers_need_not_be_there(opened):
    state = checkpoints.imagebind(["audio", "imu"])
    assert set(divide(opened(some=state), ["imu"], NARROW)) == {"imu"}


def test_missing_unexpected_and_misshapen_entries_are_all_listed(opened):
    state = checkpoints.imagebind(["imu"])
    del state[HEAD], state["modality_postprocessors.imu.1.log_logit_scale"]
    state["modality_heads.imu.7.weight"] = torch.zeros(2)
    state[NORM] = torch.zeros(31)
    state["modality_heads.imu.0.bias"] = torch.zeros(32, dtype=torch.int64)
    said = refused(opened(imu=state), ["imu"])
    assert said.startswith(str(opened(imu=state)[0].path))
    assert f"2 missing: {HEAD}; modality_postprocessors.imu.1.log_logit_scale\n" in said
    assert "1 unexpected: modality_heads.imu.7.weight\n" in said
    assert f"1 of another shape: {NORM} is (31,), (32,) is due\n" in said
    assert "modality_heads.imu.0.bias is int64, floating point is due\n" in said
    assert "imagebind_huge.pth (4.8 GB)" in said


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (torch.Tensor.to_sparse, "sparse_coo"),
        (torch.Tensor.to_sparse_csr, "sparse_csr"),
        (lambda value: value.to("meta"), "on the device meta"),
    ],
)
def test_entries_without_plain_bytes_are_listed(opened, kind, says):
    state = checkpoints.imagebind(["imu"])
    state[HEAD] = kind(state[HEAD])
    said = refused(opened(imu=state), ["imu"])
    assert f"1 without plain bytes: {HEAD} is {says}\n" in said


def test_a_scale_of_no_plain_number_in_a_tower_that_is_not_taken_is_listed(opened):
    state = checkpoints.imagebind(["vision", "text"])
    scale = "modality_postprocessors.text.1.log_logit_scale"
    state[scale] = state[scale].to("meta")
    assert f"{scale} is on the device meta" in refused(opened(x=state), ["vision"])


def test_long_lists_are_cut_with_a_count(opened):
    state = {n: v for n, v in checkpoints.imagebind(["imu"]).items() if "blocks.1." not in n}
    (line,) = [li for li in refused(opened(imu=state), ["imu"]).split("\n") if "missing" in li]
    assert re.fullmatch(r"  14 missing: (\S+; ){5}and 9 more", line)


def test_a_deeper_tower_is_not_taken(opened):
    state = checkpoints.imagebind(["imu"])
    state["modality_trunks.imu.blocks.2.norm_1.weight"] = torch.zeros(32)
    assert "1 unexpected: modality_trunks.imu.blocks.2" in refused(opened(imu=state), ["imu"])


def test_a_checkpoint_of_fewer_towers_says_which_may_be_taken(opened):
    said = refused(opened(some=checkpoints.imagebind(["audio", "imu"])))
    assert "no entry of the tower for vision, thermal, depth, text" in said
    assert said.endswith("--towers audio,imu.")


def test_each_tower_comes_from_the_first_that_has_it(opened):
    sources = opened(clip=checkpoints.openclip(), bind=checkpoints.imagebind())
    parts = divide(sources, None, NARROW)
    assert {m: part.source.path.name for m, part in parts.items()} == {
        **dict.fromkeys(("vision", "text"), "clip.pth"),
        **dict.fromkeys(("audio", "thermal", "depth", "imu"), "bind.pth"),
    }
    halves = opened(ears=checkpoints.imagebind(["audio"]), rest=checkpoints.imagebind(["imu"]))
    parts = divide(halves, ["audio", "imu"], NARROW)
    assert parts["imu"].source.path.name == "rest.pth"


def test_a_checkpoint_that_nothing_is_taken_from_is_named(opened):
    said = refused(opened(bind=checkpoints.imagebind(), clip=checkpoints.openclip()))
    assert "clip.pth: No tower is taken from it" in said


def test_a_tower_that_no_kind_has_is_named(opened):
    said = refused(opened(clip=checkpoints.openclip()), ["vision", "audio"])
    assert "OpenCLIP's ViT-H/14: no tower for audio" in said


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["vision_model.embeddings.class_embedding"], r"transformers.*open_clip_pytorch_model"),
        (["text_model.final_layer_norm.bias"], r"transformers"),
        (["conv1.weight", "fc.bias"], r"neither ImageBind nor OpenCLIP.*conv1\.weight, fc\.bias"),
    ],
)
def test_foreign_checkpoints_are_refused_by_kind(tmp_path, names, says):
    torch.save({name: torch.zeros(2) for name in names}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=says):
        open_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_values_that_are_not_finite_are_named(opened, value):
    state = checkpoints.imagebind(["imu"])
    state[HEAD][3, 5] = value
    part = divide(opened(imu=state), ["imu"], NARROW)["imu"]
    with pytest.raises(ModelError, match=rf"NaN or infinity in {HEAD}"):
        check_values(part, torch.float32, lambda count: None)


def test_values_beyond_half_precision_hint_at_bfloat16(opened):
    state = checkpoints.imagebind(["imu"])
    state[HEAD][3, 5] = -1e5
    part = divide(opened(imu=state), ["imu"], NARROW)["imu"]
    with pytest.raises(ModelError, match=rf"float16.*{HEAD} \(up to 1e\+05\).*--dtype bfloat16"):
        check_values(part, torch.float16, lambda count: None)
    seen: list[int] = []
    check_values(part, torch.bfloat16, seen.append)
    assert sum(seen) == part.parameters
