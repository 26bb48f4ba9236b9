"""The published ImageBind checkpoint (`imagebind_huge.pth`), turned into a model directory.

Its weights are licensed CC BY-NC-SA 4.0, and their model card forbids real-world use: nothing of
them comes with bindstream, and a directory made of them says so in its licence.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from bindstream.errors import ModelError
from bindstream.models.directory import ModelSpec
from bindstream.models.imagebind import Tower
from bindstream.models.saving import save_model
from bindstream.models.sizes import HUGE, TowerConfig
from bindstream.models.tokenizer import Tokenizer, clip_tokenizer
from bindstream.records import ModalityName

LICENCE = (
    "CC BY-NC-SA 4.0 (no commercial use); the model card of ImageBind forbids real-world "
    "applications: research only"
)
# The inverse of the fixed scales after the norm (paper, table 9); vision's is the text's own.
TEMPERATURE: dict[ModalityName, float] = {"audio": 0.05, "depth": 0.2, "thermal": 0.1, "imu": 0.2}
LOGIT_SCALE = "modality_postprocessors.text.1.log_logit_scale"
MOST_LOGIT_SCALE = 100.0  # the published code clips the learned scale here

# Published name -> ours, tried in order; indices that differ by modality are the checkpoint's.
_RENAMES = [
    (r"modality_preprocessors\.(\w+)\.(?:\w+_stem)\.proj(?:\.1)?\.weight", r"\1 stem.weight"),
    (r"modality_preprocessors\.(\w+)\.(?:\w+_stem)\.norm_layer\.(\w+)", r"\1 stem.norm.\2"),
    (r"modality_preprocessors\.(\w+)\.(?:pos_embedding_helper\.)?pos_embed", r"\1 pos_embed"),
    (r"modality_preprocessors\.(\w+)\.(cls_token|token_embedding\.weight)", r"\1 \2"),
    (r"modality_trunks\.(\w+)\.pre_transformer_layer\.0\.(\w+)", r"\1 pre_norm.\2"),
    (r"modality_trunks\.(\w+)\.(blocks\..+)", r"\1 \2"),
    (r"modality_heads\.(\w+)\.(?:proj\.)?0\.(\w+)", r"\1 head_norm.\2"),
    (r"modality_heads\.(\w+)\.(?:proj\.)?[123]\.weight", r"\1 head.weight"),
]
_CONSTANTS = re.compile(r"modality_preprocessors\.text\.mask|modality_postprocessors\..+")


def tower_name(published: str) -> tuple[str, str] | None:
    """(modality, name in that tower's state dict) of a published checkpoint's entry.

    None for the entries that are no weights of a tower: the causal mask and the logit scales.

    Raises:
        ModelError: no published checkpoint has such an entry.
    """
    for pattern, ours in _RENAMES:
        if re.fullmatch(pattern, published):
            modality, name = re.sub(pattern, ours, published).split(" ")
            return modality, name
    if _CONSTANTS.fullmatch(published):
        return None
    raise ModelError(
        f"The checkpoint has an entry {published!r}, which ImageBind's does not.",
        fix="Give the published imagebind_huge.pth.",
    )


def import_checkpoint(
    checkpoint: Path | str,
    merges: Path | str,
    directory: Path | str,
    *,
    name: str = "imagebind_huge",
    modalities: Iterable[ModalityName] | None = None,
    configs: Mapping[ModalityName, TowerConfig] = HUGE,
) -> str:
    """Turn the published checkpoint into a model directory; returns its fingerprint.

    Tower by tower in fp16, memory-mapped: takes minutes, and memory for the largest tower alone
    (2.5 GB in float32) beside the model directory's 2.4 GB on disk.

    Args:
        checkpoint: imagebind_huge.pth.
        merges: bpe_simple_vocab_16e6.txt.gz, which lies in ImageBind's repository under bpe/.
        modalities: towers to take; all of them if None. Queries in words need "text".
        configs: sizes of the towers, for a narrowed checkpoint.

    Raises:
        ModelError: a file that cannot be read, or a checkpoint that is not ImageBind's.
    """
    entries = _read_checkpoint(Path(checkpoint))
    weights: dict[str, dict[str, Tensor]] = {}
    for published, value in entries.items():
        if (found := tower_name(published)) is not None:
            weights.setdefault(found[0], {})[found[1]] = value
    wanted = tuple(configs) if modalities is None else tuple(modalities)
    towers: dict[ModalityName, nn.Module] = {}
    for modality in wanted:
        with torch.device("meta"):
            tower = Tower(configs[modality])
        try:
            tower.load_state_dict(weights.get(modality, {}), assign=True)
        except RuntimeError as error:
            raise ModelError(
                f"The tower for {modality} is not of the published shape ({error}).",
                where=str(checkpoint),
                fix="Give the published imagebind_huge.pth.",
            ) from error
        towers[modality] = tower
    tokenizer: Tokenizer | None = clip_tokenizer(merges) if "text" in wanted else None
    spec = ModelSpec(
        name=name,
        licence=LICENCE,
        dim=configs[wanted[0]].dim,
        towers={modality: configs[modality] for modality in wanted},
        temperature={"vision": _vision_temperature(entries), **TEMPERATURE},
        notes={"source": Path(checkpoint).name},
    )
    return save_model(directory, spec, towers, tokenizer)


def _vision_temperature(entries: Mapping[str, Tensor]) -> float:
    learned = entries.get(LOGIT_SCALE)
    scale = 1 / 0.07 if learned is None else math.exp(float(learned))
    return 1 / min(scale, MOST_LOGIT_SCALE)


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    try:
        # weights_only: a checkpoint is a pickle, and a foreign one may carry code.
        entries = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ModelError(
            f"The checkpoint cannot be read ({error}).",
            where=str(path),
            fix="Download imagebind_huge.pth again; it has 4.8 GB.",
        ) from error
    if not isinstance(entries, dict) or not all(isinstance(v, Tensor) for v in entries.values()):
        raise ModelError("The checkpoint is no state dict.", where=str(path))
    return entries
