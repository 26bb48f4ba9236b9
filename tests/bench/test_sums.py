from __future__ import annotations

import argparse

import numpy as np
import sums
from labelled import Thing

from bindstream.models import load_model


def test_a_recording_of_one_source_is_never_looked_for() -> None:
    held = [Thing(np.eye(8, dtype=np.float32)[i], "dog", f"source {i % 3}", True) for i in range(8)]
    rng = np.random.default_rng(0)
    for _ in range(10):
        example, find = sums.drawn(held, "dog", rng)
        source = held[int(example.argmax())].source
        assert len(find) == sum(thing.source != source for thing in held)
        assert not (find @ example).any()


def test_what_is_taken_off_is_ranked_lower() -> None:
    model = load_model("starter", modalities=["text"], device="cpu", threads=1)
    rng = np.random.default_rng(0)
    kinds = ["dog bark", "rooster", "rain"]
    things = []
    for kind, vector in zip(kinds, model.encode_text(kinds), strict=True):
        for i in range(9):
            noisy = vector + 0.15 * rng.standard_normal(len(vector)).astype(np.float32)
            things.append(Thing(noisy / np.linalg.norm(noisy), kind, f"{i // 3}", True))
    found = sums.measure(model, "audio", things, argparse.Namespace(draws=2))
    means = {key: np.mean(values, axis=0) for key, values in found.items()}
    assert set(means) == {(name, how) for name in sums.SUMS for how in ("plain", "centred")}
    assert all(0 <= value <= 1 for pair in means.values() for value in pair)
    assert means["words - 0.5 other", "plain"][1] >= means["words", "plain"][1]
