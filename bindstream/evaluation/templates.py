"""Class names to vectors: each name said in many sentences, and their vectors averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bindstream.averaging import unit_mean
from bindstream.errors import ConfigError
from bindstream.evaluation.files import read_lines

SOME = 2048  # texts at once: few enough for a bar to move, many enough to sort by length

# The sentences with which CLIP was published (openai/CLIP, Prompt_Engineering_for_ImageNet.ipynb):
# ImageBind's zero-shot figures are made with them for every modality.
PUBLISHED = (
    "a bad photo of a {}.",
    "a photo of many {}.",
    "a sculpture of a {}.",
    "a photo of the hard to see {}.",
    "a low resolution photo of the {}.",
    "a rendering of a {}.",
    "graffiti of a {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a tattoo of a {}.",
    "the embroidered {}.",
    "a photo of a hard to see {}.",
    "a bright photo of a {}.",
    "a photo of a clean {}.",
    "a photo of a dirty {}.",
    "a dark photo of the {}.",
    "a drawing of a {}.",
    "a photo of my {}.",
    "the plastic {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a painting of the {}.",
    "a painting of a {}.",
    "a pixelated photo of the {}.",
    "a sculpture of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a plastic {}.",
    "a photo of the dirty {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a rendering of the {}.",
    "a {} in a video game.",
    "a photo of one {}.",
    "a doodle of a {}.",
    "a close-up photo of the {}.",
    "a photo of a {}.",
    "the origami {}.",
    "the {} in a video game.",
    "a sketch of a {}.",
    "a doodle of the {}.",
    "a origami {}.",
    "a low resolution photo of a {}.",
    "the toy {}.",
    "a rendition of the {}.",
    "a photo of the clean {}.",
    "a photo of a large {}.",
    "a rendition of a {}.",
    "a photo of a nice {}.",
    "a photo of a weird {}.",
    "a blurry photo of a {}.",
    "a cartoon {}.",
    "art of a {}.",
    "a sketch of the {}.",
    "a embroidered {}.",
    "a pixelated photo of a {}.",
    "itap of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.",
    "a plushie {}.",
    "a photo of the nice {}.",
    "a photo of the small {}.",
    "a photo of the weird {}.",
    "the cartoon {}.",
    "art of the {}.",
    "a drawing of the {}.",
    "a photo of the large {}.",
    "a black and white photo of a {}.",
    "the plushie {}.",
    "a dark photo of a {}.",
    "itap of a {}.",
    "graffiti of the {}.",
    "a toy {}.",
    "itap of my {}.",
    "a photo of a cool {}.",
    "a photo of a small {}.",
    "a tattoo of the {}.",
)


class TextEncoder(Protocol):
    """A model as it is needed here; `bindstream.models.encoder.Model` is one."""

    dim: int

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, dim) float32. Blocks."""


@dataclass(frozen=True)
class Templates:
    """Sentences with {} where the name goes, and what the set of them is called."""

    name: str
    sentences: tuple[str, ...]


def templates(given: str) -> Templates:
    """Templates by name (plain: the name alone; published: CLIP's 80) or of a file, one a line.

    Raises:
        ConfigError: neither, or a line has not exactly one {}.
    """
    if given == "plain":
        return Templates("plain", ("{}",))
    if given == "published":
        return Templates("published", PUBLISHED)
    file = Path(given)
    if not file.is_file():
        raise ConfigError(
            f"{given!r} is neither plain nor published, and no file.",
            where="--templates",
            fix="Give plain, published, or a file of sentences with {} where the name goes.",
        )
    sentences = tuple(line.strip() for line in read_lines(file))
    if wrong := [line for line in sentences if line.count("{}") != 1]:
        raise ConfigError(
            f"{wrong[0]!r} has {wrong[0].count('{}')} places for a name, 1 is needed.",
            where=str(file),
            fix="Write {} once in each line, as in: a photo of a {}.",
        )
    if not sentences:
        raise ConfigError("there is no sentence in it.", where=str(file), fix="Write one a line.")
    return Templates(file.name, sentences)


def name_vectors(
    model: TextEncoder,
    names: Sequence[str],
    chosen: Templates,
    report: Callable[[int], None] = lambda done: None,
) -> NDArray[np.float32]:
    """Unit vectors (names, dim) float32: for each name the mean over its sentences. Blocks.

    Args:
        report: told how many names are done.

    Raises:
        DataError: a name without a word.
        ModelError: the text tower is not loaded.
    """
    vectors = np.zeros((len(names), model.dim), np.float32)
    sentences = chosen.sentences
    step = max(1, SOME // len(sentences))
    for start in range(0, len(names), step):
        part = names[start : start + step]
        texts = [line.replace("{}", name) for name in part for line in sentences]
        said = model.encode_text(texts).reshape(len(part), len(sentences), -1)
        vectors[start : start + step] = [unit_mean(each) for each in said]
        report(start + len(part))
    return vectors
