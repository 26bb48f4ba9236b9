"""Errors people read: where, what, and the way out, on whatever side of a process border."""

from __future__ import annotations

import pickle

import pytest

from bindstream import errors
from bindstream.errors import BindstreamError, SourceError

KINDS = [BindstreamError, *BindstreamError.__subclasses__()]


def test_an_error_says_where_what_and_the_way_out() -> None:
    error = SourceError("/dev/video0 is not there.", where="stream 'door'", fix="Plug it in.")
    assert str(error) == "stream 'door': /dev/video0 is not there. Plug it in."
    assert str(SourceError("It is gone.")) == "It is gone."
    assert str(SourceError("It is gone.", fix="Wait.")) == "It is gone. Wait."


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_crosses_process_borders_whole(kind: type[BindstreamError]) -> None:
    error = kind("40 °C is no pressure.", where="stream 'boiler'", fix="Choose bar.")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert (back.what, back.where, back.fix) == (error.what, error.where, error.fix)
    assert str(back) == str(error)


def test_every_error_of_the_module_can_be_caught_as_one() -> None:
    public = [v for v in vars(errors).values() if isinstance(v, type)]
    assert set(public) == set(KINDS)
    assert all(kind.__doc__ for kind in public)
