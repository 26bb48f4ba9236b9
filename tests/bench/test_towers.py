from __future__ import annotations

import json
import os
from pathlib import Path

import drawn
import measuring
import pytest
import torch
import torch.nn.functional as F
import towers
from reference import published_code, published_tower

from bindstream.models.cost import operations, weight_bytes
from bindstream.models.sizes import HUGE

QUICK = ("--small", "--rounds", "1", "--batches", "1,2")


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
    monkeypatch.setitem(measuring.SIDE, "cpu", 64)


def figures(folder: Path, *given: str) -> list[dict]:
    towers.main([*given, "--device", "cpu", "--json", str(folder / "figures.json")])
    return json.loads((folder / "figures.json").read_text())["rows"]


def test_a_row_for_each_batch_and_precision(tmp_path, capsys):
    rows = figures(tmp_path, *QUICK, "--towers", "imu", "--precision", "bfloat16,int8")
    each = [(row["batch"], row["precision"]) for row in rows]
    assert each == [(b, p) for b in (1, 2) for p in ("float32", "bfloat16", "int8")]
    config = drawn.sizes(narrowed=True)["imu"]
    for row in rows:
        assert row["tower"] == "imu"
        assert row["here_gflop"] == operations(config).here_gflop
        assert row["published_gflop"] == operations(config).published_gflop
        computed = row["here_gflop"] * row["batch"]
        assert row["gflop_per_s"] == pytest.approx(computed / row["median_ms"] * 1e3)
        assert row["share"] == pytest.approx(row["gflop_per_s"] / row["peak_gflop_per_s"])
        assert row["weights_mb"] == weight_bytes(config, row["precision"]) / 1e6
        assert row["memory_mb"] >= 0
        assert row["published_ms"] is None
    cosines = {row["precision"]: row["cosine"] for row in rows if row["batch"] == 2}
    assert cosines["float32"] == pytest.approx(1, abs=1e-6)
    assert 0.99 < cosines["int8"] < cosines["bfloat16"] < 1
    said = capsys.readouterr().out
    assert "imu" in said
    assert "processor:" in said


def test_text_is_measured_short_and_long(tmp_path):
    rows = figures(tmp_path, *QUICK, "--towers", "text", "--precision", "float32")
    assert [row["tokens"] for row in rows] == [8, 8, 77, 77]
    assert rows[0]["here_gflop"] < rows[-1]["here_gflop"] / 5
    assert rows[0]["published_gflop"] == rows[-1]["published_gflop"]


def test_a_model_directory_brings_its_own_weights(tmp_path, tiny_model):
    given = ("--model", str(tiny_model), "--rounds", "1", "--batches", "1")
    rows = figures(tmp_path, *given, "--towers", "audio,text", "--precision", "int8")
    assert {row["tower"] for row in rows} == {"audio", "text"}
    assert all(row["cosine"] > 0.98 for row in rows)


@pytest.mark.parametrize("tokens", [8, 77])
def test_texts_end_where_they_are_said_to(tokens):
    ids = drawn.text(tokens, seed=1)
    end = HUGE["text"].end_id
    assert (ids == end).nonzero().tolist() == [[0, tokens - 1]]
    assert ids.argmax() == tokens - 1
    assert not ids[0, tokens:].any()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--towers", "smell"), "'smell' is none of vision"),
        (("--precision", "float8"), "'float8' is none of float32"),
        (("--batches", "0"), "one view at least"),
        (("--model", "a", "--reference", "b"), "not allowed with"),
    ],
)
def test_what_cannot_be_measured_is_said(given, says, capsys):
    with pytest.raises(SystemExit):
        towers.main(given)
    assert says in capsys.readouterr().err


def test_a_folder_that_is_no_checkout_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no imagebind"):
        published_code(tmp_path)


@pytest.mark.skipif("IMAGEBIND" not in os.environ, reason="IMAGEBIND is no checkout of ImageBind")
@torch.inference_mode()
def test_towers_give_the_vectors_of_the_published_code():
    code = published_code(Path(os.environ["IMAGEBIND"]))
    for modality, config in drawn.sizes(narrowed=True).items():
        tower, x = drawn.tower(config), drawn.inputs(modality, 2)
        published = F.normalize(published_tower(code, tower)(x), dim=-1)
        torch.testing.assert_close(tower(x), published, rtol=1e-5, atol=1e-6)
