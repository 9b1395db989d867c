"""SIGTERM ends a command as Ctrl-C does."""

import asyncio
import signal
from collections.abc import Callable, Iterator

import pytest

from weighbridge.cli.process.stopping import INTERRUPTED, TERMINATED, stopped_by_sigterm


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], autouse=True)
def heeded(request: pytest.FixtureRequest) -> Iterator[None]:
    """On a terminal Ctrl-C is heeded; a shell's background jobs ignore it."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


async def cleaned_up(ended: Callable[[str], None]) -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()
    finally:
        ended("put away")


def test_sigterm_cancels_what_runs_and_lets_it_put_things_away() -> None:
    said: list[str] = []

    with stopped_by_sigterm() as stops, pytest.raises(KeyboardInterrupt):
        asyncio.run(cleaned_up(said.append))

    assert said == ["put away"]
    assert stops.code == TERMINATED == 143


def test_ctrl_c_alone_is_no_sigterm() -> None:
    with stopped_by_sigterm() as stops:
        pass

    assert stops.code == INTERRUPTED == 130


def test_sigterm_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with stopped_by_sigterm():
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before
