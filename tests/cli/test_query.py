"""bindstream query: what is watched for, as it is shown."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from bindstream.cli.query import levels_table, queries_table

QUERY: dict[str, Any] = {
    "id": "glass_breaking",
    "text": ["glass breaking", "a window is smashed", "a bottle falls and breaks"],
    "like": [],
    "plus": [],
    "minus": [],
    "taught": None,
    "negatives": ["dishes in a sink", "cutlery"],
    "streams": ["kitchen-microphone", "hall"],
    "modalities": ["audio", "vision", "thermal"],
    "budget": 0.2,
}
PLAIN = {**QUERY, "id": "dog", "text": ["a dog"], "negatives": [], "streams": None}


def shown(table: object) -> list[str]:
    """The lines of a table where 80 columns are, as commands print it."""
    console = Console(width=80, soft_wrap=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


def test_names_are_whole_on_80_columns_and_texts_wrap_between_words() -> None:
    lines = shown(queries_table([QUERY, PLAIN]))
    assert max(map(len, lines)) <= 80
    words = {word.rstrip(",") for line in lines for word in line.split()}
    names = {"glass_breaking", "dog", "kitchen-microphone", "hall", "audio", "vision", "thermal"}
    assert names | {"smashed", "breaks", "cutlery"} <= words


def test_a_long_id_is_whole_whatever_room_there_is() -> None:
    long = "a-person-falls-down-the-stairs-and-does-not-get-up-again-for-a-minute"
    [row] = [line for line in shown(queries_table([{**QUERY, "id": long}])) if "a-person" in line]
    assert row.split()[0] == long
    armed = {"query": long, "stream": "kitchen-microphone", "on": 3.5, "promise": ""}
    [row] = [line for line in shown(levels_table([armed])) if "a-person" in line]
    assert {long, "kitchen-microphone", "3.5"} <= set(row.split())


def test_without_negatives_there_is_no_column_of_them() -> None:
    assert any(" not " in line for line in shown(queries_table([QUERY])))
    assert not any(" not " in line for line in shown(queries_table([PLAIN])))
