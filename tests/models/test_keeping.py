from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.models.keeping import LONGEST_S, TextKeeping
from tests.models import narrow

KEEP_S = 60.0


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    directory = tmp_path_factory.mktemp("model")
    narrow.save(directory)
    return load_model(directory, modalities=["imu", "text"], device="cpu", precision="float32")


def use(model: Model) -> None:
    model.encode_text(["a dog"])


def released_at(keeping: TextKeeping, begin_s: float, end_s: float) -> list[float]:
    """When the tower is released, asked once a second from `begin_s` to `end_s`."""
    return [float(s) for s in range(int(begin_s), int(end_s) + 1) if keeping.due(s)]


def test_an_unused_text_tower_is_released_when_its_time_has_come_and_not_before(model):
    use(model)
    keeping = TextKeeping(model, KEEP_S)
    assert released_at(keeping, 1000, 1000 + KEEP_S - 1) == []
    assert "text" in model.in_memory
    assert keeping.due(1000 + KEEP_S)
    assert model.in_memory == ("imu",)
    assert released_at(keeping, 1000 + KEEP_S, 1000 + 3 * KEEP_S) == []


def test_use_postpones_the_release(model):
    use(model)
    keeping = TextKeeping(model, KEEP_S)
    assert released_at(keeping, 0, 50) == []
    use(model)
    assert released_at(keeping, 51, 200) == [51 + KEEP_S]


def test_questions_that_encode_nothing_do_not_postpone_it(model):
    use(model)
    keeping = TextKeeping(model, KEEP_S)
    assert not keeping.due(0)
    model.encode_text([])
    model.unknown_words("zebra")
    assert keeping.due(KEEP_S)


def test_a_tower_missed_soon_is_kept_twice_as_long_up_to_an_hour(model):
    use(model)
    keeping = TextKeeping(model, KEEP_S)
    now_s, kept = 0.0, []
    keeping.due(now_s)
    for _ in range(8):
        now_s += keeping.keep_s
        assert keeping.due(now_s)
        use(model)
        now_s += 1
        assert not keeping.due(now_s)
        kept.append(keeping.keep_s)
    assert kept == [120, 240, 480, 960, 1920, LONGEST_S, LONGEST_S, LONGEST_S]


def test_a_tower_nobody_missed_for_longer_is_kept_as_in_the_beginning(model):
    use(model)
    keeping = TextKeeping(model, KEEP_S)
    keeping.due(0)
    keeping.due(KEEP_S)
    use(model)
    keeping.due(KEEP_S + 1)
    assert keeping.keep_s == 2 * KEEP_S
    assert keeping.due(KEEP_S + 1 + 2 * KEEP_S)
    use(model)
    keeping.due(KEEP_S + 1 + 4 * KEEP_S + 1)  # a second more than it was kept
    assert keeping.keep_s == KEEP_S


def test_with_nothing_to_keep_it_for_it_is_released_at_once_always(model):
    keeping = TextKeeping(model, 0)
    for now_s in (5.0, 5.0, 6.0, 900.0):
        use(model)
        assert keeping.due(now_s)
        assert "text" not in model.in_memory
        assert not keeping.due(now_s)


def test_a_model_without_text_is_left_alone(tmp_path):
    narrow.save(tmp_path)
    sensors = load_model(tmp_path, modalities=["imu"], device="cpu")
    keeping = TextKeeping(sensors, 0)
    assert not keeping.due(10)
    assert sensors.in_memory == ("imu",)


class Uses:
    """Of a model, only what tells whether and when its text tower is used: seconds, not reads."""

    def __init__(self) -> None:
        self.texts_encoded, self.in_memory = 0, ("text",)

    def use(self) -> None:
        self.texts_encoded, self.in_memory = self.texts_encoded + 1, ("text",)

    def release(self, modality: str) -> None:
        assert modality in self.in_memory
        self.in_memory = ()


@settings(deadline=None)
@given(
    st.integers(0, 4000),
    st.lists(st.tuples(st.integers(0, 5000), st.booleans()), min_size=1, max_size=30),
)
def test_it_is_never_released_while_it_is_used_within_the_time_it_is_kept(keep_s, steps):
    uses = Uses()
    keeping = TextKeeping(uses, keep_s)
    now_s = used_s = 0
    keeping.due(now_s)
    for later_s, is_used in steps:
        now_s += later_s
        if is_used:
            uses.use()
            used_s = now_s
        was_kept = "text" in uses.in_memory
        released = keeping.due(now_s)
        assert keep_s <= keeping.keep_s <= max(LONGEST_S, keep_s)
        assert released == (was_kept and now_s - used_s >= keeping.keep_s)
        assert ("text" in uses.in_memory) == (was_kept and not released)
