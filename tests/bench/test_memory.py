from __future__ import annotations

import memory
import numpy as np

MB = 1_000_000


def test_the_peak_is_remembered_until_it_is_forgotten():
    memory.forget_peak()
    before = memory.resident_bytes()
    held = np.ones(10 * MB)  # 80 MB, written to
    held_bytes = held.nbytes
    del held
    assert memory.peak_bytes() > before + held_bytes - 10 * MB
    memory.forget_peak()
    assert memory.peak_bytes() < before + held_bytes - 10 * MB
