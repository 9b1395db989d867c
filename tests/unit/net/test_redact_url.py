"""URLs in logs and messages."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.guard.addresses import redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://r.example/v2/a/tags/list?n=100&last=b",
            "https://r.example/v2/a/tags/list?n=100&last=b",
        ),
        (
            "https://auth.example/token?service=r&scope=repository:a:pull&x=y",
            "https://auth.example/token?service=r&scope=repository:a:pull&x=REDACTED",
        ),
        (
            "https://b.example/blob?X-Amz-Signature=canary&X-Amz-Date=2026",
            "https://b.example/blob?X-Amz-Signature=REDACTED&X-Amz-Date=REDACTED",
        ),
        ("https://user:canary@r.example:5000/v2/", "https://r.example:5000/v2/"),
        ("https://a@b:canary@r.example/", "https://r.example/"),
        ("https://r.example/p?canary", "https://r.example/p?REDACTED"),
        ("https://r.example/p#canary", "https://r.example/p"),
        ("https://r.example/p?N=canary", "https://r.example/p?N=REDACTED"),
        ("http://[::1]:5000/p", "http://[::1]:5000/p"),
        ("http://[canary/", "REDACTED"),
        ("/v2/_catalog?n=5", "/v2/_catalog?n=5"),
        ("http://r.example/a\x1b[31mb", "http://r.example/a%1B[31mb"),
    ],
)
def test_a_url_shows_no_more_than_its_place(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(st.text(max_size=60))
def test_any_text_becomes_visible_ascii(text: str) -> None:
    assert re.fullmatch(r"[\x21-\x7e]*", redact_url(f"http://h/{text}"))


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
def test_the_value_of_an_unknown_key_is_never_shown(value: str) -> None:
    canary = f"canary-{value}"

    assert canary not in redact_url(f"https://b.example/x?sig={canary}&n=1")
