"""WWW-Authenticate, read strictly and in linear time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import AuthError
from weighbridge.registry.auth.token_server import (
    CHALLENGE_CHARACTERS,
    Challenge,
    parse,
)

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)


def test_commas_inside_quotes_do_not_end_a_parameter() -> None:
    line = (
        'Bearer realm="https://auth.example/token",service="shop",'
        'scope="repository:a/b:pull,push repository:c:pull"'
    )

    challenges = parse([line])

    assert challenges == [
        Challenge(
            "bearer",
            {
                "realm": "https://auth.example/token",
                "service": "shop",
                "scope": "repository:a/b:pull,push repository:c:pull",
            },
        )
    ]


def test_several_lines_and_several_challenges_a_line_keep_their_order() -> None:
    lines = [
        "Negotiate, NTLM dG9rZW4=",
        'BASIC Realm="x" , , Bearer REALM = "y",error=bad',
    ]

    challenges = parse(lines)

    assert challenges == [
        Challenge("negotiate"),
        Challenge("ntlm"),
        Challenge("basic", {"realm": "x"}),
        Challenge("bearer", {"realm": "y", "error": "bad"}),
    ]


def test_escapes_in_quotes_are_undone() -> None:
    challenges = parse([r'Basic realm="say \"no\", \\ then"'])

    assert challenges[0].params == {"realm": r'say "no", \ then'}


def test_an_empty_quoted_value_is_a_value() -> None:
    assert parse(['Bearer realm="r",scope=""'])[0].params["scope"] == ""


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('Bearer realm="https://a', id="registry_auth-023 open quote"),
        pytest.param("Bearer " + "b" * 65_536, id="registry_auth-023 64 KiB"),
        pytest.param('Bearer realm="a" scope="b"', id="comma missing"),
        pytest.param('Bearer realm="a", realm="b"', id="parameter twice"),
        pytest.param('Bearer realm="a\r\nX: y"', id="line end in quotes"),
        pytest.param('="a"', id="scheme missing"),
        pytest.param('Bearer="a"', id="scheme with a value"),
        pytest.param("Bearer a b", id="neither token68 nor parameter"),
        pytest.param("Bearer realm=,service=x", id="value missing"),
    ],
)
def test_what_is_not_the_grammar_is_refused(line: str) -> None:
    with pytest.raises(AuthError) as refused:
        parse([line])

    assert refused.value.code == "auth_error"


@given(st.lists(st.text(), max_size=4))
def test_any_text_gives_challenges_or_our_error(lines: list[str]) -> None:
    result = parsed_or_code(lines)

    assert result == "auth_error" or all(isinstance(c, Challenge) for c in result)


@given(
    st.lists(
        st.tuples(TOKEN, st.dictionaries(TOKEN, VALUE, max_size=3)),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_written_by_the_grammar_is_read_back(
    written: list[tuple[str, dict[str, str]]],
) -> None:
    line = ", ".join(
        f"{scheme} " + ", ".join(f'{k}="{_escaped(v)}"' for k, v in params.items())
        for scheme, params in written
    )

    assert parse([line]) == [Challenge(scheme, params) for scheme, params in written]


@pytest.mark.parametrize(
    "piece", ["a", "a=", "a,", ' a="', '\\"', "a =", ", ", "=", '"\\', "a "]
)
def test_long_lines_are_read_in_linear_time(piece: str) -> None:
    line = "Bearer " + piece * (CHALLENGE_CHARACTERS // len(piece) - 8)

    # The best of some: what the interpreter does now and then is not the parser's.
    assert min(seconds_for(line) for _ in range(5)) < 0.05


def seconds_for(line: str) -> float:
    began = time.process_time()
    parsed_or_code([line])
    return time.process_time() - began


def parsed_or_code(lines: list[str]) -> list[Challenge] | str:
    try:
        return parse(lines)
    except AuthError as error:
        return error.code


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
