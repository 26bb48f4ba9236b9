"""OpenCLIP's ViT-H/14 checkpoint: vision and text under a licence that permits more.

ImageBind's vision and text towers are OpenCLIP's ViT-H/14 trained on LAION-2B
(laion2b_s32b_b79k), which it kept frozen, so audio, thermal, depth and IMU of ImageBind go with
them. Names and shapes are those of open_clip's `CLIP` with a `VisionTransformer`.

- Its 2-D patches are spread over two frames, half in each: a still, which is shown twice, gives
  what the 2-D convolution gives.
- open_clip's LayerNorms have eps 1e-5, ImageBind's and those here 1e-6.
- Variants with a quick GELU (those of DFN and MetaCLIP) have the same names and shapes and cannot
  be told apart. The towers here compute the exact GELU, so such a checkpoint would be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from bindstream.models.loading import Shape, tower_shapes
from bindstream.models.published.layout import Entry, Layout, published_names
from bindstream.models.sizes import TowerConfig

# Width, side of a patch and blocks of the vision towers of open_clip's common models.
_SIZES = {
    (768, 32, 12): "ViT-B/32",
    (768, 16, 12): "ViT-B/16",
    (1024, 14, 24): "ViT-L/14",
    (1280, 14, 32): "ViT-H/14",
    (1408, 14, 40): "ViT-g/14",
    (1664, 14, 48): "ViT-bigG/14",
}
_BLOCK = {
    "norm_1.": "ln_1.",
    "norm_2.": "ln_2.",
    "attn.": "attn.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
}


def weights(config: TowerConfig) -> dict[str, Entry]:
    """The published entry of each weight of our vision or text tower, by our name."""
    is_text = config.modality == "text"
    visual = "" if is_text else "visual."
    parts = {
        "token_embedding.": "token_embedding.",
        "stem.weight": "visual.conv1.weight",
        "cls_token": "visual.class_embedding",
        "pos_embed": f"{visual}positional_embedding",
        "pre_norm.": "visual.ln_pre.",
        "head_norm.": "ln_final." if is_text else "visual.ln_post.",
        "head.weight": "text_projection" if is_text else "visual.proj",
    }
    for block in range(config.blocks):
        for ours, theirs in _BLOCK.items():
            parts[f"blocks.{block}.{ours}"] = f"{visual}transformer.resblocks.{block}.{theirs}"
    shapes = tower_shapes(config)
    return {
        ours: _entry(ours, name, shapes[ours])
        for ours, name in published_names(config, parts).items()
    }


def constants(config: TowerConfig) -> dict[str, Shape]:
    """Entries that are no weights: the scale of logits."""
    return {"logit_scale": ()} if config.modality == "text" else {}


def _entry(ours: str, name: str, shape: Shape) -> Entry:
    if ours == "stem.weight":
        width, colours, _, *patch = shape
        return Entry(name, (width, colours, *patch), _over_two_frames)
    if ours == "cls_token":
        return Entry(name, shape[2:], lambda value: value[None, None])
    if ours == "pos_embed":
        return Entry(name, shape[1:], lambda value: value[None])
    if ours == "head.weight":
        return Entry(name, shape[::-1], lambda value: value.T)
    return Entry(name, shape)


def _over_two_frames(value: Tensor) -> Tensor:
    """(width, 3, patch, patch) to (width, 3, 2, patch, patch)."""
    return (value / 2)[:, :, None].expand(-1, -1, 2, -1, -1)


def _oddity(shapes: Mapping[str, Shape]) -> str:
    if any(name.startswith("visual.layer1.") for name in shapes):
        return "It is a ResNet of CLIP."
    if any(name.startswith("visual.trunk.") for name in shapes):
        return "Its vision tower is one of timm."
    stem = shapes.get("visual.conv1.weight", ())
    if len(stem) != 4:
        return ""
    begin = "visual.transformer.resblocks."
    blocks = {name[len(begin) :].split(".")[0] for name in shapes if name.startswith(begin)}
    width, patch = stem[0], stem[-1]
    title = _SIZES.get((width, patch, len(blocks)), "a ViT")
    return f"It is {title} (width {width}, patches of {patch}, {len(blocks)} blocks)."


OPENCLIP = Layout(
    title="OpenCLIP's ViT-H/14",
    name="openclip_vit_h_14",
    licence="MIT (LAION's OpenCLIP ViT-H/14, trained on LAION-2B)",
    wanted=(
        "Give open_clip's checkpoint of ViT-H-14, laion2b_s32b_b79k "
        "(open_clip_pytorch_model.bin of laion/CLIP-ViT-H-14-laion2B-s32B-b79K, 3.9 GB)."
    ),
    marks=("visual.", "transformer.resblocks.", "token_embedding.", "text_projection"),
    modalities=("vision", "text"),
    weights=weights,
    constants=constants,
    log_scales={"text": "logit_scale"},
    optional=frozenset({"attn_mask"}),
    oddity=_oddity,
    limits={
        "vision": (
            "vision: goes with ImageBind's other towers if it is laion2b_s32b_b79k; the checkpoint "
            "does not say so itself.",
        ),
        "text": ("text: English, 77 tokens at most (75 of words); what is longer is cut.",),
    },
)
