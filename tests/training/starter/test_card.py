"""The card says what was measured, by whom the recordings are, and what cannot be told apart."""

from __future__ import annotations

from pathlib import Path

import torch

from bindstream.evaluation.measuring import Confusion
from bindstream.evaluation.metrics import Interval
from bindstream.models.directory import ModelSpec
from bindstream.models.sizes import TowerConfig
from bindstream.training.starter.card import CARD, costs, write_card
from bindstream.training.starter.figures import Figure
from bindstream.training.starter.recordings import Entry

SPEC = ModelSpec(
    name="starter", licence="Apache-2.0", dim=8, trained_words=("dog", "cat"),
    towers={"imu": TowerConfig(modality="imu", width=32, blocks=1, heads=2, dim=8, patch=200)},
    limits=("imu: five activities alone.",),
)  # fmt: skip
FIGURE = Figure(
    name="sounds, some", metric="top-1", value=0.87, interval=Interval(0.8, 0.93), n=80, chance=0.1,
    by_class={"dog": (1.0, 8), "sneeze": (0.25, 8), "owl": (0.0, 1)},
    wrong=(Confusion("sneeze", "dog", 5), Confusion("sneeze", "rain", 1)),
    beside={"linear probe": 0.31},
)  # fmt: skip


def entry(name: str, held_out: bool) -> Entry:
    return Entry("audio", Path(name), "dog", frozenset({"dog"}), name, held_out)


def test_card_states_figures_with_intervals_costs_and_sources(tmp_path: Path) -> None:
    (tmp_path / "imu.safetensors").write_bytes(bytes(1_500_000))
    entries = [entry("a", True), entry("b", False), entry("c", False)]
    write_card(tmp_path, SPEC, [FIGURE], entries, {"imu": (1234, 600.0)})
    card = (tmp_path / CARD).read_text()
    assert "1.5 MB" in card
    assert "**0.87** (0.80 to 0.93)" in card
    assert "linear probe 0.31" in card
    assert "| imu | 32 / 1 / 2 | 200 (8) | 227 | 1234 | 10 |" in card
    assert "| audio | 2 | 1 |" in card
    assert "CC BY" in card
    assert "five activities alone" in card
    assert "--data DIR --out DIR" in card


def test_card_names_what_is_told_apart_and_what_is_not_but_not_of_one_recording(
    tmp_path: Path,
) -> None:
    write_card(tmp_path, SPEC, [FIGURE], [], {})
    lines = (tmp_path / CARD).read_text().splitlines()
    told = next(line for line in lines if line.startswith("Told apart"))
    not_told = next(line for line in lines if line.startswith("Not told apart"))
    assert "dog (sounds) 1.00" in told
    assert "sneeze (sounds) 0.25" in not_told
    assert "owl" not in not_told


def test_confusions_are_drawn_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "confusions-old.png").write_bytes(b"")
    write_card(tmp_path, SPEC, [FIGURE], [], {})
    pictures = [path.name for path in tmp_path.glob("*.png")]
    assert pictures == ["confusions-sounds-some.png"]
    assert f"({pictures[0]})" in (tmp_path / CARD).read_text()


def test_costs_are_read_from_checkpoints(tmp_path: Path) -> None:
    torch.save({"step": 7, "spent_s": 90.0}, tmp_path / "imu.pt")
    assert costs(tmp_path) == {"imu": (7, 90.0)}
