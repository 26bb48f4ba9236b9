"""Errors people read: each names where it happened, what was found, and the way out."""

from __future__ import annotations


class BindstreamError(Exception):
    """Something a person has to act on.

    Args:
        what: what is wrong, with the value that is wrong.
        where: the stream, file, query or setting it concerns ("" if none).
        fix: the way out, as one imperative sentence ("" if there is none to give).
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        way_out = f" {self.fix}" if self.fix else ""
        return f"{place}{self.what}{way_out}"

    def said_of(self, file: object) -> str:
        """What is wrong and the way out, for a reader who was told already which file it is of."""
        return f"{self.what.replace(f'{file} ', 'it ', 1)} {self.fix}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders by pickle, which replays positional arguments only.
        return _rebuild, (type(self), self.what, self.where, self.fix)


def unnamed(what: str, stream: str) -> str:
    """What a driver says of its stream, for a reader who was told already which one it is of."""
    return what.removeprefix(f"stream {stream!r}: ")


def _rebuild(kind: type[BindstreamError], what: str, where: str, fix: str) -> BindstreamError:
    return kind(what, where=where, fix=fix)


class ConfigError(BindstreamError):
    """A configuration that cannot be run."""


class DataError(BindstreamError):
    """Readings that cannot be used: wrong shape, dtype, unit, range, NaN, too short."""


class SourceError(BindstreamError):
    """A device or feed cannot be opened or was lost. Trying again may help."""


class ModelError(BindstreamError):
    """A model directory, checkpoint or tower that cannot be used."""


class BusError(BindstreamError):
    """A wire message or a bus set-up that cannot be trusted."""


class HistoryError(BindstreamError):
    """A history of vectors that cannot be opened, written or read."""


class StateError(BindstreamError):
    """A file of what a watch remembers that cannot be opened, written or read."""


class RecordingError(BindstreamError):
    """A recording that cannot be written, opened or read."""


class MissingPackageError(BindstreamError):
    """A package or system library that an optional part needs is not installed."""
