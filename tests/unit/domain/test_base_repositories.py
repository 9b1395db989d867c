"""Names of repositories whose images are bases, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest
from weighbridge.domain.base.base_repositories import (
    DEFAULT_BASES,
    parse_base_repository,
)
from weighbridge.domain.image.reference import is_repository_name
from weighbridge.errors import InvalidReference


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("python", "docker.io/library/python"),
        ("docker.io/python", "docker.io/library/python"),
        ("acme/base", "docker.io/acme/base"),
        ("quay.io/acme/base", "quay.io/acme/base"),
        ("127.0.0.1:5000/base", "127.0.0.1:5000/base"),
        ("harbor/shop/base", "harbor/shop/base"),
    ],
)
def test_a_base_is_named_as_in_a_dockerfile(written: str, full: str) -> None:
    assert full == str(parse_base_repository(written, frozenset({"harbor"})))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("python:3.12", "it has a tag"),
        (f"python@{a_digest('base')}", "it has a digest"),
        ("Python", "the repository's name has capitals"),
        ("py thon", "a character that cannot be there"),
        ("", "the repository's name is missing"),
        ("https://docker.io/python", "it begins with a scheme"),
        ("me:secret@quay.io/acme/base", "a user or a password"),
    ],
)
def test_what_names_no_repository_is_refused_with_the_reason(
    written: str, why: str
) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_base_repository(written)

    assert why in caught.value.message
    assert "secret" not in caught.value.message


@given(st.text(max_size=60))
def test_any_text_is_a_checked_name_or_refused(text: str) -> None:
    for configured in (frozenset[str](), frozenset({"hub"}), None):
        try:
            found = parse_base_repository(text, configured)
        except InvalidReference:
            continue
        assert is_repository_name(found.repository)
        assert found.registry


def test_the_bases_by_default_are_official_images() -> None:
    found = {str(parse_base_repository(name)) for name in DEFAULT_BASES}

    assert len(found) == 13
    assert all(name.startswith("docker.io/library/") for name in found)
