"""The published ImageBind checkpoint, imagebind_huge.pth: a table from our names to its.

Names and figures are the published ones (facebookresearch/ImageBind at 53680b0): 1,311 entries,
1,200,781,057 parameters, 4.8 GB. The weights are licensed CC BY-NC-SA 4.0 and their model card
forbids real-world use: nothing of them comes with bindstream.
"""

from __future__ import annotations

from bindstream.models.loading import Shape, tower_shapes
from bindstream.models.published.layout import Entry, Layout, published_names
from bindstream.models.sizes import HUGE, TowerConfig
from bindstream.records import ModalityName

# Where a modality's stem is; vision's projection comes second, after a still is made a clip.
_STEMS: dict[ModalityName, tuple[str, str]] = {
    "vision": ("rgbt_stem", "proj.1"),
    "audio": ("rgbt_stem", "proj"),
    "thermal": ("rgbt_stem", "proj"),
    "depth": ("depth_stem", "proj"),
    "imu": ("imu_stem", "proj"),
}
# Where a head's norm and projection are: between them a token is picked, and IMU has a dropout.
_HEADS: dict[ModalityName, tuple[str, str]] = {
    "vision": ("0", "2"),
    "text": ("proj.0", "proj.1"),
    "audio": ("0", "2"),
    "depth": ("0", "2"),
    "thermal": ("0", "2"),
    "imu": ("0", "3"),
}
_BARE_PLACES = ("text", "imu")  # whose places lie in no module of their own
_SCALED: tuple[ModalityName, ...] = ("text", "audio", "depth", "thermal", "imu")


def weights(config: TowerConfig) -> dict[str, Entry]:
    """The published entry of each weight of our tower, by our name."""
    modality = config.modality
    before, trunk = f"modality_preprocessors.{modality}.", f"modality_trunks.{modality}."
    norm, head = (f"modality_heads.{modality}.{place}." for place in _HEADS[modality])
    places = "" if modality in _BARE_PLACES else "pos_embedding_helper."
    parts = {
        "token_embedding.": f"{before}token_embedding.",
        "cls_token": f"{before}cls_token",
        "pos_embed": f"{before}{places}pos_embed",
        "pre_norm.": f"{trunk}pre_transformer_layer.0.",
        "blocks.": f"{trunk}blocks.",
        "head_norm.": norm,
        "head.": head,
    }
    if modality in _STEMS:
        stem, projection = _STEMS[modality]
        parts["stem.norm."] = f"{before}{stem}.norm_layer."
        parts["stem.weight"] = f"{before}{stem}.{projection}.weight"
    shapes = tower_shapes(config)
    return {
        ours: Entry(name, shapes[ours]) for ours, name in published_names(config, parts).items()
    }


def constants(config: TowerConfig) -> dict[str, Shape]:
    """Entries that are no weights: the causal mask, and the scales after the norm."""
    modality = config.modality
    found: dict[str, Shape] = {}
    if modality == "text":
        found["modality_preprocessors.text.mask"] = (config.tokens, config.tokens)
    if modality in _SCALED:
        found[_log_scale(modality)] = ()
    return found


def _log_scale(modality: ModalityName) -> str:
    # Audio 20, depth 5, thermal 10, IMU 5; text's is learned; vision has none.
    return f"modality_postprocessors.{modality}.1.log_logit_scale"


IMAGEBIND = Layout(
    title="ImageBind",
    name="imagebind_huge",
    licence=(
        "CC BY-NC-SA 4.0 (no commercial use); the model card of ImageBind forbids real-world "
        "applications: research only"
    ),
    wanted="Give the published imagebind_huge.pth (4.8 GB).",
    marks=("modality_",),
    modalities=tuple(HUGE),
    weights=weights,
    constants=constants,
    log_scales={modality: _log_scale(modality) for modality in _SCALED},
    limits={
        "vision": ("vision: a window is two frames 2 s apart, seen through one centre crop.",),
        "text": ("text: English, 77 tokens at most (75 of words); what is longer is cut.",),
        "audio": ("audio: a window is 2 s of mono sound at 16 kHz.",),
        "depth": (
            "depth: experimental; the published statistics suggest that its training data were "
            "misread by a factor of about 8, so the right scale of disparities is not known.",
        ),
        "thermal": (
            "thermal: takes grey pictures in [0, 1] without mean and deviation; trained on streets "
            "at night (LLVIP).",
        ),
        "imu": (
            "imu: trained on head-mounted sensors alone (Ego4D); other placements transfer poorly.",
            "imu: its preprocessing was never published; 5 s as 2,000 steps is the paper's text.",
        ),
    },
)
