from __future__ import annotations

import pytest
from pydantic import ValidationError

from bindstream.models.sizes import HUGE, MOST_BLOCKS, MOST_WIDTH, TowerConfig


def sized(modality: str, **changes: int) -> TowerConfig:
    said = {"modality": modality, "width": 32, "blocks": 2, "heads": 4, "dim": 24, **changes}
    return TowerConfig.model_validate(said)


@pytest.mark.parametrize(
    ("modality", "patches"),
    [("vision", 256), ("audio", 228), ("thermal", 196), ("depth", 196), ("imu", 250), ("text", 77)],
)
def test_towers_have_the_patches_published(modality, patches):
    assert HUGE[modality].patches == patches


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("blocks", MOST_BLOCKS),
        ("width", MOST_WIDTH),
        ("heads", MOST_WIDTH),
        ("dim", MOST_WIDTH),
        ("vocabulary", 1 << 22),
    ],
)
def test_sizes_that_no_tower_has_are_refused(field, most):
    for beyond in (most + 1, 10**12, 10**30):
        with pytest.raises(ValidationError, match=f"{field}\\n.*less than or equal to {most}"):
            sized("imu", **{field: beyond})


@pytest.mark.parametrize(
    ("modality", "side"),
    [("vision", 224), ("audio", 128), ("thermal", 224), ("depth", 224), ("imu", 2000)],
)
def test_a_patch_lies_within_the_input(modality, side):
    assert sized(modality, patch=side, stride=1).patches >= 1
    for beyond in (side + 1, 3000):  # which twice over gives a number of patches above 0 again
        with pytest.raises(ValidationError, match=f"patch {beyond} is larger than the input"):
            sized(modality, patch=beyond)


def test_text_has_no_patches():
    words = {"vocabulary": 10, "end_id": 9}
    assert sized("text", **words).patches == 77
    for odd in ({"patch": 2}, {"stride": 2}):
        with pytest.raises(ValidationError, match="text has no patches"):
            sized("text", **words, **odd)
