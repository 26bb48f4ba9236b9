from __future__ import annotations

import loading
import pytest


@pytest.mark.slow
def test_each_precision_is_loaded_in_a_process_of_its_own(capsys):
    loading.main(["--small"])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "audio, imu of drawn, stored as float16"
    assert [row.split()[0] for row in rows] == ["auto", "float32", "bfloat16", "float16", "int8"]
    assert rows[1].endswith("audio, imu in float32: asked for")


@pytest.mark.parametrize(
    ("towers", "says"), [("smell", "'smell' is none of"), ("text", "needs its tokenizer")]
)
def test_towers_that_cannot_be_loaded_are_said(towers, says, capsys):
    with pytest.raises(SystemExit):
        loading.main(["--towers", towers])
    assert says in capsys.readouterr().err
