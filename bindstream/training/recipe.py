"""How a tower is trained: the published recipe, one a modality, and what may be changed of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bindstream.records import ModalityName

BETAS = (0.9, 0.95)
"""AdamW's, of ImageBind's table 9 (arXiv 2305.05665)."""
LENGTHS = ("epochs", "steps", "minutes")
"""How a recipe may say how long it lasts."""


class Recipe(BaseModel):
    """How long and how hard a tower is trained.

    The length is given once: `epochs` (each pair once an epoch), `steps`, or `minutes` of wall
    clock, which end in time on a slow machine too. The learning rate warms up over `warm_up` of it
    and then follows a cosine to 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    minutes: float = Field(default=0, ge=0)
    batch: int = Field(default=64, ge=2, description="windows a step")
    rate: float = Field(default=1e-3, gt=0, description="highest learning rate")
    warm_up: float = Field(default=0.03, ge=0, lt=1, description="share of the training")
    decay: float = Field(default=0.1, ge=0, description="weight decay of matrices")
    temperature: float = Field(default=0.07, gt=0, description="of InfoNCE, fixed")
    back: float = Field(
        default=1.0,
        ge=0,
        description="how much InfoNCE from anchors to windows counts beside the "
        "other way; 1 is symmetric",
    )
    clip: float = Field(default=1.0, gt=0, description="longest gradient")
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    head_dropout: float = Field(default=0.0, ge=0, lt=1)
    keep: float = Field(
        default=1.0, gt=0, le=1, description="share of patches computed; all in the last tenth"
    )
    averaged: float = Field(
        default=0.998, ge=0, lt=1, description="decay of the running mean of weights that is kept"
    )
    reuse: int = Field(default=1, ge=1, description="how often a prepared batch is trained on")
    bfloat16: bool | None = Field(default=None, description="by default where the CPU has it")

    @model_validator(mode="after")
    def _one_length(self) -> Recipe:
        given = [name for name in LENGTHS if getattr(self, name)]
        if len(given) != 1:
            said = " and ".join(given) or "none"
            raise ValueError(f"give one of epochs, steps and minutes (given: {said})")
        return self

    def progress(self, step: int, spent_s: float, pairs: int) -> float:
        """How much of the training is done, from 0 to 1 and beyond, after `step` steps."""
        if self.minutes:
            return spent_s / (60 * self.minutes)
        return step / (self.steps or max(1, round(self.epochs * pairs / self.batch)))


PUBLISHED: dict[ModalityName, Recipe] = {
    "audio": Recipe(
        epochs=64, batch=2048, rate=1.6e-3, decay=0.2, temperature=0.05, drop_path=0.1,
        warm_up=2 / 64,
    ),
    "depth": Recipe(epochs=64, batch=512, rate=1.6e-3, decay=0.2, temperature=0.2, warm_up=2 / 64),
    "thermal": Recipe(
        epochs=64, batch=512, rate=5e-4, decay=0.05, temperature=0.1, clip=5.0, warm_up=2 / 64
    ),
    "imu": Recipe(
        epochs=8, batch=512, rate=5e-4, decay=0.5, temperature=0.2, drop_path=0.7,
        head_dropout=0.5, warm_up=2 / 8,
    ),
}  # fmt: skip
"""ImageBind's table 9. Vision and text, the anchors, were not trained by it."""
