"""Pages of `ecr-public`, whatever they hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.reference import is_repository_name
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.ecr.public_api import parse_public_repositories

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def page(*entries: object, **more: Any) -> bytes:
    return json.dumps({"repositories": entries, **more}).encode()


def a_repository(name: object = "team/app", uri: object = None) -> dict[str, object]:
    whole = f"public.ecr.aws/acme/{name}" if uri is None else uri
    return {"repositoryName": name, "repositoryUri": whole}


def test_a_repository_has_the_alias_of_its_owner_before_it() -> None:
    found = parse_public_repositories(page(a_repository(), nextToken="more"))

    assert (found.names, found.invalid) == (("acme/team/app",), 0)
    assert found.next == "more"


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {},
        a_repository(""),
        a_repository(7),
        a_repository(uri=7),
        a_repository(uri="public.ecr.aws/team/app"),
        a_repository(uri="public.ecr.aws/acme/other"),
        a_repository("App"),
        a_repository("../app"),
    ],
)
def test_one_whose_address_is_not_its_own_is_counted_and_not_asked_for(
    entry: object,
) -> None:
    found = parse_public_repositories(page(entry, a_repository("app")))

    assert (found.names, found.invalid) == (("acme/app",), 1)


@pytest.mark.parametrize("raw", [b"{}", b"{", b"null", b'{"repositories": null}'])
def test_a_page_without_a_list_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_public_repositories(raw)


@given(
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(st.builds(a_repository, JSON, JSON) | JSON).map(lambda e: page(*e))
)
def test_any_bytes_are_names_of_repositories_or_an_error(raw: bytes) -> None:
    try:
        found = parse_public_repositories(raw)
    except DocumentError:
        return
    assert all(is_repository_name(name) and "/" in name for name in found.names)
