"""The size of a tower: what model.json states of each, and the sizes of imagebind_huge.

Free of torch, so that a model can be described without loading it.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName

# Side and stride of a patch as published: pixels, mel bins and frames, or time steps.
PATCHES: dict[ModalityName, tuple[int, int]] = {
    "vision": (14, 14),
    "audio": (16, 10),
    "thermal": (16, 16),
    "depth": (16, 16),
    "imu": (8, 8),
    "text": (1, 1),
}


# Ten times the largest vision transformer published (ViT-22B, arXiv 2302.05442: 48 blocks of width
# 6144), and more words than any tokenizer has: what is beyond is a mistake, and would be built.
MOST_WIDTH, MOST_BLOCKS, MOST_VOCABULARY = 1 << 16, 512, 1 << 22


class TowerConfig(BaseModel):
    """One tower's size. `patch` and `stride` are as published where left at 0.

    `vocabulary` and `end_id` (the token that text leaves at) concern the text tower alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    modality: ModalityName
    width: int = Field(gt=0, le=MOST_WIDTH)
    blocks: int = Field(gt=0, le=MOST_BLOCKS)
    heads: int = Field(gt=0, le=MOST_WIDTH)
    dim: int = Field(
        gt=0, le=MOST_WIDTH, description="of the joint space, the same for all towers of a model"
    )
    patch: int = Field(default=0, ge=0)
    stride: int = Field(default=0, ge=0)
    vocabulary: int = Field(default=0, ge=0, le=MOST_VOCABULARY)
    end_id: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _published_patches(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("modality") not in PATCHES:
            return given
        patch, stride = PATCHES[given["modality"]]
        patch = given.get("patch") or patch
        return {**given, "patch": patch, "stride": given.get("stride") or min(stride, patch)}

    @model_validator(mode="after")
    def _fits(self) -> TowerConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")
        if self.modality == "text" and not 0 < self.end_id < self.vocabulary:
            raise ValueError(f"end_id {self.end_id} is not in a vocabulary of {self.vocabulary}")
        if self.modality == "text" and (self.patch, self.stride) != PATCHES["text"]:
            raise ValueError("text has no patches: leave out patch and stride")
        if self.patch > min(self._sides):
            raise ValueError(f"patch {self.patch} is larger than the input, {self._sides}")
        return self

    @property
    def patches(self) -> int:
        """How many patch tokens the tower's input gives (text: its context of 77)."""
        return math.prod((side - self.patch) // self.stride + 1 for side in self._sides)

    @property
    def _sides(self) -> tuple[int, ...]:
        """Of the input, those that are cut into patches."""
        shape = MODALITIES[self.modality].model_input
        return shape[-1:] if self.modality in ("imu", "text") else shape[-2:]

    @property
    def tokens(self) -> int:
        return self.patches + (self.modality != "text")

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Of the input values that become one token; () for text, whose tokens are looked up."""
        shape = MODALITIES[self.modality].model_input
        if self.modality == "text":
            return ()
        if self.modality == "imu":
            return (shape[0] * self.patch,)
        return (*shape[:-2], self.patch, self.patch)

    @property
    def extra_token(self) -> bool:
        """Whether attention sees one more key and value, which are learned."""
        return self.modality not in ("vision", "text")


def _huge(modality: ModalityName, width: int, blocks: int, heads: int, **text: int) -> TowerConfig:
    return TowerConfig(modality=modality, width=width, blocks=blocks, heads=heads, dim=1024, **text)


HUGE: dict[ModalityName, TowerConfig] = {
    config.modality: config
    for config in (
        _huge("vision", 1280, 32, 16),
        _huge("text", 1024, 24, 16, vocabulary=49408, end_id=49407),
        _huge("audio", 768, 12, 12),
        _huge("depth", 384, 12, 8),
        _huge("thermal", 768, 12, 12),
        _huge("imu", 512, 6, 8),
    )
}
