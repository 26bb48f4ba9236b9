from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.errors import ConfigError
from bindstream.terms.term import Term, placed, term, window_named

ID = "door/1728043200000000000"


def test_terms_are_told_apart_by_what_they_look_like() -> None:
    assert term("a dog") == Term("words", "a dog", 1.0)
    assert term("0.5*a dog", -1) == Term("words", "a dog", -0.5)
    assert term("bark.wav") == Term("file", "bark.wav", 1.0)
    assert term(".25*my dog.WAV") == Term("file", "my dog.WAV", 0.25)
    assert term("./bark") == Term("file", "./bark")
    assert term("2 * x") == Term("words", "2 * x")
    for words in ("a dog or/and a cat", "it ends.", "no. 5", "version 2.5", "1/2 cup", "e.g. rain"):
        assert term(words) == Term("words", words)
    assert term(ID) == Term("window", ID, 1.0)
    assert term(f"2*glass-breaking/{ID}") == Term("window", f"glass-breaking/{ID}", 2.0)


def test_a_file_is_placed_where_it_lies_and_keeps_its_weight(tmp_path: Path) -> None:
    (tmp_path / "bark").write_bytes(b"")
    assert placed("0.5*bark", tmp_path) == f"0.5*{tmp_path}/bark"
    assert placed("gone.wav", tmp_path) == f"{tmp_path}/gone.wav"
    assert placed("/other/bark.wav", tmp_path) == "/other/bark.wav"
    for left in ("a dog", ID, f"2*{ID}", "x" * 300, "~nobody-of-that-name/x.wav"):
        assert placed(left, tmp_path) == left
    assert term(placed("bark", tmp_path)).kind == "file"
    assert placed(placed("0.5*bark", tmp_path), Path("/")) == f"0.5*{tmp_path}/bark"


def test_a_home_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert placed("2*~/bark.wav", Path("/nowhere")) == f"2*{tmp_path}/bark.wav"


def test_what_people_call_a_term() -> None:
    assert [term(t).name for t in ("0.5*/a/b/rex.wav", "a dog", ID)] == ["rex", "a dog", ID]


def test_windows_and_alerts_name_stream_and_time() -> None:
    assert window_named(ID) == ("door", 1728043200000000000)
    assert window_named(f"glass-breaking/{ID}") == ("door", 1728043200000000000)
    for wrong in ("door", "door/12", "a dog", f"a/b/{ID}", ID.title()):
        with pytest.raises(ConfigError, match="STREAM/START_NS"):
            window_named(wrong)
