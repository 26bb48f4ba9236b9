"""Options of commands that take words, files and stored windows, added and taken off."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bindstream.errors import ConfigError

Texts = list[str] | None

LikeOption = Annotated[
    Texts, typer.Option("--like", help="A FILE or a stored window; may be repeated.")
]
PlusOption = Annotated[Texts, typer.Option("--plus", help="And this.")]
UnusualOption = Annotated[
    bool, typer.Option("--unusual", help="Whatever is new beside what a stream gave before.")
]
MinusOption = Annotated[Texts, typer.Option("--minus", help="And not this, such as 0.5*rain.")]


def sums_of(like: Texts, plus: Texts, minus: Texts) -> dict[str, list[str]]:
    """What the options say, with the whole paths of files, which lie where one stands.

    Raises:
        ConfigError: a file is not there, or words were given to --like.
    """
    from bindstream.terms.term import placed, term

    found: dict[str, list[str]] = {}
    for name, texts in (("like", like), ("plus", plus), ("minus", minus)):
        found[name] = [placed(text, Path.cwd()) for text in texts or ()]
        for text, there in zip(texts or (), found[name], strict=True):
            meant = term(there)
            no_words = name == "like" and meant.kind == "words"
            if no_words or (meant.kind == "file" and not Path(meant.what).is_file()):
                raise ConfigError(
                    f"there is no file {text!r}.",
                    where=f"--{name}",
                    fix="Give a file, or the id of a window; words stand on their own.",
                )
    return found
