"""Secrets never print."""

import copy
import json
import pickle
from dataclasses import asdict, dataclass

import pytest

from weighbridge.domain.text.printable import REDACTED, Secret

CANARY = "canary-4711"


@dataclass(frozen=True, slots=True)
class Holder:
    password: Secret


@pytest.mark.parametrize(
    "shown",
    [
        str(Secret(CANARY)),
        repr(Secret(CANARY)),
        f"{Secret(CANARY)}",
        f"{Secret(CANARY)!r:>40}".strip(),
        repr(Holder(Secret(CANARY))),
        repr(asdict(Holder(Secret(CANARY)))),
        repr([Secret(CANARY)]),
    ],
)
def test_a_secret_is_redacted_however_it_is_formatted(shown: str) -> None:
    assert CANARY not in shown
    assert REDACTED in shown


def test_a_secret_gives_its_text_only_when_asked() -> None:
    assert Secret(CANARY).reveal() == CANARY


def test_secrets_are_equal_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_a_secret_is_neither_pickled_nor_written_as_json() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))


def test_a_copied_secret_is_the_same_one() -> None:
    secret = Secret(CANARY)

    assert copy.deepcopy(secret) is secret
    assert copy.copy(secret) is secret
