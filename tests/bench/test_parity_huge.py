from __future__ import annotations

import numpy as np
import parity_huge
import pytest

from tests import parity


def test_the_narrowed_towers_give_the_vectors_of_the_published_code(tmp_path, capsys):
    parity_huge.main(["--small", "--out", str(tmp_path / "small.npz")])
    with np.load(tmp_path / "small.npz") as written:
        vectors = dict(written)
    said = capsys.readouterr().out
    assert "GB resident" in said
    expected = parity.figures("golden_small.npz")
    assert list(vectors) == list(expected)
    for modality, figures in expected.items():
        assert modality in said
        assert vectors[modality].dtype == figures.dtype
        near = 1e-6 * np.abs(figures).max()
        np.testing.assert_allclose(vectors[modality], figures, rtol=1e-5, atol=near)


def test_some_towers_may_be_asked_for(tmp_path):
    parity_huge.main(["--small", "--towers", "imu,depth", "--out", str(tmp_path / "some.npz")])
    with np.load(tmp_path / "some.npz") as vectors:
        assert set(vectors) == {"imu", "depth"}


def test_a_tower_that_is_none_is_named(capsys):
    with pytest.raises(SystemExit):
        parity_huge.main(["--small", "--towers", "smell"])
    assert "smell" in capsys.readouterr().err
