from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bindstream.errors import ModelError
from bindstream.models import load_model
from bindstream.models.imagebind import Tower
from bindstream.models.published.importing import import_checkpoints
from bindstream.models.published.inspection import divide, open_checkpoint
from bindstream.models.published.openclip import OPENCLIP
from bindstream.models.sizes import HUGE
from tests.models.merges import write_merges
from tests.models.published import checkpoints
from tests.models.published.checkpoints import NARROW


def mapped(modality: str, state: dict) -> Tower:
    """Our tower with the weights of a state dict as open_clip's."""
    tower = Tower(NARROW[modality]).eval()
    entries = OPENCLIP.weights(NARROW[modality])
    tower.load_state_dict({ours: e.ours(state[e.name]) for ours, e in entries.items()})
    return tower


def transformer(state: dict, begin: str, x: torch.Tensor, mask: torch.Tensor | None):
    """open_clip's residual blocks out of torch's own attention, with our eps."""
    width = x.shape[-1]
    for block in range(2):
        at = f"{begin}transformer.resblocks.{block}."
        w = {name[len(at) :]: v for name, v in state.items() if name.startswith(at)}
        y = F.layer_norm(x, (width,), w["ln_1.weight"], w["ln_1.bias"], 1e-6)
        attention = torch.nn.MultiheadAttention(width, 4, batch_first=True)
        attention.load_state_dict({n[5:]: v for n, v in w.items() if n.startswith("attn.")})
        x = x + attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        y = F.layer_norm(x, (width,), w["ln_2.weight"], w["ln_2.bias"], 1e-6)
        y = F.gelu(F.linear(y, w["mlp.c_fc.weight"], w["mlp.c_fc.bias"]))
        x = x + F.linear(y, w["mlp.c_proj.weight"], w["mlp.c_proj.bias"])
    return x


def norm(state: dict, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)


@torch.no_grad()
def test_a_still_shown_twice_gives_what_the_2d_convolution_gives():
    state = checkpoints.openclip()
    still = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    expected = F.conv2d(still, state["visual.conv1.weight"], stride=14).flatten(2).transpose(1, 2)
    twice = still[:, :, None].expand(-1, -1, 2, -1, -1)
    found = mapped("vision", state).stem(twice, None)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_pictures_come_out_as_open_clip_computes_them():
    state = checkpoints.openclip()
    still = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    x = F.conv2d(still, state["visual.conv1.weight"], stride=14).flatten(2).transpose(1, 2)
    x = torch.cat([state["visual.class_embedding"].expand(2, 1, -1), x], dim=1)
    x = norm(state, "visual.ln_pre", x + state["visual.positional_embedding"])
    x = transformer(state, "visual.", x, None)
    expected = F.normalize(norm(state, "visual.ln_post", x[:, 0]) @ state["visual.proj"], dim=-1)
    found = mapped("vision", state)(still[:, :, None].expand(-1, -1, 2, -1, -1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_texts_come_out_as_open_clip_computes_them():
    state = checkpoints.openclip()
    ids = torch.zeros(2, 77, dtype=torch.int64)
    ids[0, :4] = torch.tensor([49406, 320, 1929, 49407])
    ids[1, :6] = torch.tensor([49406, 5, 6, 7, 8, 49407])
    x = state["token_embedding.weight"][ids] + state["positional_embedding"]
    mask = torch.full((77, 77), -torch.inf).triu(1)
    x = norm(state, "ln_final", transformer(state, "", x, mask))
    x = x[torch.arange(2), ids.argmax(-1)] @ state["text_projection"]
    expected = F.normalize(x, dim=-1)
    torch.testing.assert_close(mapped("text", state)(ids), expected, rtol=1e-4, atol=1e-5)


def test_an_imported_checkpoint_gives_vision_and_text_under_its_own_licence(tmp_path):
    state = {**checkpoints.openclip(), "attn_mask": torch.zeros(77, 77)}
    torch.save({"state_dict": {f"module.{n}": v for n, v in state.items()}}, tmp_path / "clip.pt")
    spec = import_checkpoints(
        [tmp_path / "clip.pt"],
        tmp_path / "out",
        vocabulary=write_merges(tmp_path / "merges.gz"),
        configs=NARROW,
        dtype="float32",
    )
    assert spec.name == "openclip_vit_h_14"
    assert spec.licence.startswith("MIT (LAION")
    assert spec.scales == {"vision": 1, "text": 100}
    assert spec.temperature == {"vision": 0.01}
    model = load_model(tmp_path / "out", device="cpu", precision="float32")
    assert model.modalities == ("vision", "text")
    clip = torch.randn(2, 3, 2, 224, 224, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = mapped("vision", state)(clip).numpy()
    assert abs(model.encode("vision", clip.numpy()) - expected).max() < 1e-5


def test_shapes_are_those_of_vit_h_14():
    vision, text = (OPENCLIP.weights(HUGE[modality]) for modality in ("vision", "text"))
    shapes = {entry.name: entry.shape for part in (vision, text) for entry in part.values()}
    assert shapes["visual.conv1.weight"] == (1280, 3, 14, 14)
    assert shapes["visual.class_embedding"] == (1280,)
    assert shapes["visual.positional_embedding"] == (257, 1280)
    assert shapes["visual.proj"] == (1280, 1024)
    assert shapes["visual.transformer.resblocks.31.mlp.c_fc.weight"] == (5120, 1280)
    assert shapes["transformer.resblocks.23.attn.in_proj_weight"] == (3072, 1024)
    assert shapes["token_embedding.weight"] == (49408, 1024)
    assert shapes["positional_embedding"] == (77, 1024)
    assert shapes["text_projection"] == (1024, 1024)
    assert len(shapes) == 8 + 32 * 12 + 5 + 24 * 12


@pytest.mark.parametrize(
    ("stem", "blocks", "says"),
    [
        ((1024, 3, 14, 14), 24, "It is ViT-L/14"),
        ((768, 3, 32, 32), 12, "It is ViT-B/32"),
        ((640, 3, 16, 16), 2, "It is a ViT (width 640, patches of 16, 2 blocks)"),
    ],
)
def test_other_sizes_are_refused_by_name(tmp_path, stem, blocks, says):
    state = {
        f"visual.transformer.resblocks.{block}.ln_1.weight": torch.zeros(stem[0])
        for block in range(blocks)
    }
    torch.save({**state, "visual.conv1.weight": torch.zeros(stem)}, tmp_path / "x.pt")
    with pytest.raises(ModelError) as raised:
        divide([open_checkpoint(tmp_path / "x.pt")], ["vision"], HUGE)
    assert says in str(raised.value)
    assert "laion2b_s32b_b79k" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("visual.layer1.0.conv1.weight", "ResNet"),
        ("visual.trunk.patch_embed.proj.weight", "one of timm"),
    ],
)
def test_vision_towers_of_another_kind_are_refused_by_name(tmp_path, name, says):
    torch.save({name: torch.zeros(2), "logit_scale": torch.tensor(1.0)}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=says):
        divide([open_checkpoint(tmp_path / "x.pt")], None, HUGE)
