"""The published code's towers, from a checkout of facebookresearch/ImageBind.

Only its `imagebind.models` is imported. What that imports and is not installed here is stood in
for: of it the towers use two layers of timm's and one rearrangement of einops', no more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from bindstream.models.imagebind import Tower
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.sizes import HUGE

NARROWEST = {"embed_dim": 8, "num_blocks": 1, "num_heads": 1}  # of the towers not asked for


def published_code(checkout: Path) -> Any:
    """The module that holds the published ImageBindModel.

    Raises:
        FileNotFoundError: `checkout` is none of ImageBind.
    """
    if not (checkout / "imagebind" / "models" / "imagebind_model.py").is_file():
        raise FileNotFoundError(f"{checkout} holds no imagebind/models/imagebind_model.py")
    stand_ins = _stand_ins()
    packages = {name for name in stand_ins if "." not in name and name not in sys.modules}
    absent = {package for package in packages if find_spec(package) is None}
    for name, contents in stand_ins.items():
        if name.partition(".")[0] in absent:
            sys.modules[name] = _module(name, **contents)
    # Without the package's own __init__, which loads readers of sound and video.
    sys.modules["imagebind"] = _module("imagebind", __path__=[str(checkout / "imagebind")])
    return import_module("imagebind.models.imagebind_model")


def published_tower(code: Any, tower: Tower) -> Callable[[Tensor], Tensor]:
    """The published code's tower with the very weights of `tower`: inputs to scaled vectors.

    It shares memory with `tower`. The five other towers are there as well, but tiny.
    """
    config, weight = tower.config, next(tower.parameters())
    sizes = {f"{m}_{name}": least for m in HUGE for name, least in NARROWEST.items()}
    for name, size in zip(NARROWEST, (config.width, config.blocks, config.heads), strict=True):
        sizes[f"{config.modality}_{name}"] = size
    model: nn.Module = code.ImageBindModel(out_embed_dim=config.dim, **sizes)
    ours = tower.state_dict()
    entries = {e.name: ours[name] for name, e in IMAGEBIND.weights(config).items()}
    missing, unexpected = model.load_state_dict(entries, strict=False, assign=True)
    constants = IMAGEBIND.constants(config)
    unfilled = [n for n in missing if f".{config.modality}." in n and n not in constants]
    if unfilled or unexpected:
        raise ValueError(f"the checkout's tower has other entries: {unfilled + unexpected}")
    model = model.eval().requires_grad_(False).to(weight.device, weight.dtype)

    def run(x: Tensor) -> Tensor:
        # A clip is one of several to it: (B, clips, 3, 2, 224, 224).
        given = x[:, None] if config.modality == "vision" else x
        out: Tensor = model({config.modality: given})[config.modality]
        return out

    return run


def _stand_ins() -> dict[str, dict[str, Any]]:
    layers = {"DropPath": _DropPath, "trunc_normal_": nn.init.trunc_normal_}
    return {
        "timm": {},
        "timm.layers": layers,
        "timm.models": {},
        "timm.models.layers": layers,
        "einops": {"rearrange": _swap_first_two},
        "ftfy": {},
        "regex": {},
        "iopath": {},
        "iopath.common": {},
        "iopath.common.file_io": {"g_pathmgr": SimpleNamespace()},
    }


class _DropPath(nn.Module):
    """Drops nothing, as in evaluation."""

    def __init__(self, probability: float) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


def _swap_first_two(x: Tensor, pattern: str) -> Tensor:
    if pattern not in ("b l d -> l b d", "l b d -> b l d"):
        raise NotImplementedError(f"no stand-in for einops' {pattern!r}: pip install einops")
    return torch.transpose(x, 0, 1)


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    return module
