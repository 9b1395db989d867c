"""`WWW-Authenticate`: the challenges of a 401 (RFC 9110 11.6.1)."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from weighbridge.errors import AuthError

CHALLENGE_CHARACTERS: Final = 8 * 1024
"""All header lines together; real ones are below 1 KiB."""

_BLANK: Final = re.compile(r"[ \t]*")
_BETWEEN: Final = re.compile(r"[ \t,]*")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_QUOTED: Final = re.compile(
    r'"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)"',
)
_ESCAPE: Final = re.compile(r"\\(.)")
# Possessive, so that it never tries a shorter piece. A lone `realm=` is one, too:
# by the grammar it is no parameter.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]++=*+(?=[ \t]*(?:,|$))")


class Challenge(Struct, frozen=True):
    """One way in. `scheme` and the names of `params` are lower case.

    params: empty where the scheme stands alone or with a token68
    """

    scheme: str
    params: Mapping[str, str] = field(default_factory=dict)


def parse(values: list[str]) -> list[Challenge]:
    """All challenges of these header lines, in their order.

    Raises AuthError(auth_error) for what is not the grammar: a guess at a
    challenge is a guess at where credentials go.
    """
    if sum(map(len, values)) > CHALLENGE_CHARACTERS:
        raise _malformed("it is too long")
    return [challenge for value in values for challenge in _parse_line(value)]


def _parse_line(text: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    at = _skip(_BETWEEN, text, 0)
    while at < len(text):
        scheme = _TOKEN.match(text, at)
        if scheme is None:
            raise _malformed("a scheme is missing")
        params, at = _parse_rest(text, scheme.end())
        challenges.append(Challenge(scheme[0].lower(), params))
    return challenges


def _parse_rest(text: str, at: int) -> tuple[dict[str, str], int]:
    """What follows a scheme, and where the next challenge begins."""
    start = _skip(_BLANK, text, at)
    if start == len(text) or text[start] == ",":
        return {}, _next_element(text, start)
    if start == at:
        raise _malformed("a scheme runs into something else")
    if lump := _TOKEN68.match(text, start):
        return {}, _next_element(text, lump.end())
    return _parse_params(text, start)


def _parse_params(text: str, at: int) -> tuple[dict[str, str], int]:
    params: dict[str, str] = {}
    while (name := _TOKEN.match(text, at)) and (
        equals := _EQUALS.match(text, name.end())
    ):
        value, end = _parse_value(text, equals.end())
        if name[0].lower() in params:
            raise _malformed("a parameter stands there twice")
        params[name[0].lower()] = value
        at = _next_element(text, end)
    if not params:
        raise _malformed("a parameter has no value")
    return params, at


def _parse_value(text: str, at: int) -> tuple[str, int]:
    if quoted := _QUOTED.match(text, at):
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    if plain := _TOKEN.match(text, at):
        return plain[0], plain.end()
    raise _malformed("a parameter has no value")


def _next_element(text: str, at: int) -> int:
    """Where the next element of the list begins: after a comma, or at the end."""
    start = _skip(_BETWEEN, text, at)
    if start < len(text) and "," not in text[at:start]:
        raise _malformed("a comma is missing")
    return start


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _malformed(reason: str) -> AuthError:
    return AuthError(
        f"the registry's WWW-Authenticate header cannot be read: {reason}",
        hint="ask the operator of the registry; a proxy before it may have changed it",
    )
