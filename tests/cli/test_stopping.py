"""A command is asked to end by the first signal, and ended by the second."""

from __future__ import annotations

import signal

import pytest

from bindstream.cli.stopping import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_goes_where_signals_went_before(
    number: signal.Signals,
) -> None:
    ended: list[int] = []

    def end(number: int, _: object) -> None:
        ended.append(number)

    before = signal.signal(number, end)
    try:
        with stopping() as stop:
            assert not stop.is_set()
            signal.raise_signal(number)
            assert (stop.is_set(), ended) == (True, [])
            signal.raise_signal(number)
            assert ended == [number]
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)


def test_without_a_signal_everything_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
