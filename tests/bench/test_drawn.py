from __future__ import annotations

import drawn
import numpy as np
import pytest

from bindstream.modalities import MODALITIES
from bindstream.models.published.imagebind import IMAGEBIND
from tests import parity


def test_every_kind_of_entry_is_filled_by_the_rule():
    seeded, config = parity.seeded(), drawn.sizes(narrowed=True)
    for modality in MODALITIES:
        for entry in IMAGEBIND.weights(config[modality]).values():
            np.testing.assert_array_equal(
                drawn.weight(entry.name, entry.shape), seeded.fill(entry.name, entry.shape)
            )


def test_the_entries_are_all_that_the_rule_fills():
    names = {
        entry.name
        for config in drawn.sizes(narrowed=False).values()
        for entry in IMAGEBIND.weights(config).values()
    }
    fill = parity.seeded().fill
    filled = [n for n in parity.table("keys_huge.json") if fill(n, (1, 1)) is not None]
    assert names == set(filled)


@pytest.mark.parametrize("modality", MODALITIES)
def test_inputs_are_those_of_the_rule(modality):
    np.testing.assert_array_equal(drawn.inputs(modality, 2), parity.seeded().inputs(2)[modality])


def test_a_tower_is_the_same_each_time_and_unlike_another():
    config = drawn.sizes(narrowed=True)
    x = drawn.inputs("thermal", 1)
    first, again = (drawn.tower(config["thermal"])(x) for _ in range(2))
    assert (first == again).all()
    assert not np.allclose(first, drawn.tower(config["depth"])(x), atol=0.1)
