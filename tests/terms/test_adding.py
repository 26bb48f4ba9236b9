from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.errors import ConfigError, DataError
from bindstream.terms.adding import added
from tests.history.windows import unit

WEIGHTS = st.floats(-3, 3).filter(lambda w: abs(w) > 0.01)


@settings(max_examples=40, deadline=None)
@given(st.lists(WEIGHTS, min_size=1, max_size=6))
def test_a_sum_is_weighed_and_of_unit_length(weights: list[float]) -> None:
    summands = [(weight, unit(seed)) for seed, weight in enumerate(weights)]
    found = added(summands)
    expected = sum(weight * vector.astype(np.float64) for weight, vector in summands)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)


def test_what_cancels_out_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cancels out\. Change the weights"):
        added([(1.0, unit(0)), (-1.0, unit(0))])
    with pytest.raises(ConfigError, match="cancels out"):
        added([(1.0, np.full(4, np.nan, np.float32))])


def test_vectors_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="8 and 16 numbers"):
        added([(1.0, unit(0)), (1.0, unit(1, dim=8))])
