"""References are read as Docker reads them, and refused in words that help."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.images import a_digest
from weighbridge.domain.image.reference import (
    REFERENCE_PATTERN,
    Reference,
    beside,
    is_repository_name,
    is_tag,
    parse_reference,
    without_login,
)
from weighbridge.errors import InvalidReference

DIGEST = a_digest("image")


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.7", "docker.io/library/python:3.7"),
        ("acme/app", "docker.io/acme/app:latest"),
        ("docker.io/python:3.7", "docker.io/library/python:3.7"),
        ("docker.io/acme/app:v1", "docker.io/acme/app:v1"),
        ("index.docker.io/python", "docker.io/library/python:latest"),
        ("ghcr.io/acme/app", "ghcr.io/acme/app:latest"),
        ("quay.io/app", "quay.io/app:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("localhost:5000/shop/cart:v2", "localhost:5000/shop/cart:v2"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"),
        ("Registry/app", "Registry/app:latest"),
        ("LocalHost/app", "localhost/app:latest"),
        ("Registry.Example:5000/app:V1", "registry.example:5000/app:V1"),
        ("[::1]:5000/app:1", "[::1]:5000/app:1"),
        ("[2001:DB8:0::1]/app:1", "[2001:db8::1]/app:1"),
        ("a/b/c/d:e", "docker.io/a/b/c/d:e"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
        (f"python:3.7@{DIGEST}", f"docker.io/library/python:3.7@{DIGEST}"),
    ],
)
def test_a_reference_gets_the_defaults_of_docker(written: str, full: str) -> None:
    assert full == str(parse_reference(written))


def test_a_digest_alone_gets_no_tag() -> None:
    reference = parse_reference(f"quay.io/acme/app@{DIGEST}")

    assert Reference("quay.io", "acme/app", None, DIGEST) == reference


def test_a_configured_name_is_the_registry_and_its_repositories_get_no_prefix() -> None:
    configured = frozenset({"hub", "acme"})

    assert Reference("hub", "library/python", "3.7", None) == parse_reference(
        "hub/library/python:3.7", configured
    )
    assert str(parse_reference("hub/python", configured)) == "hub/python:latest"
    assert str(parse_reference("acme/app", configured)) == "acme/app:latest"


def test_a_configured_name_matters_only_as_the_first_of_several_components() -> None:
    configured = frozenset({"hub", "acme"})

    assert str(parse_reference("hub:1", configured)) == "docker.io/library/hub:1"
    assert (
        str(parse_reference("docker.io/acme/app", configured))
        == "docker.io/acme/app:latest"
    )
    assert str(parse_reference("shop/hub", configured)) == "docker.io/shop/hub:latest"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "missing"),
        ("/app", "cannot be there"),
        ("quay.io/", "missing"),
        ("app:", "no tag"),
        ("app:-1", "no tag"),
        ("app:" + "v" * 129, "no tag"),
        ("app@", "no digest"),
        ("app@sha256:abc", "no digest"),
        (f"app@{DIGEST.upper()}", "no digest"),
        ("acme/App", "capitals"),
        ("acme//app", "cannot be there"),
        ("acme/../app", "cannot be there"),
        ("acme/app?x=1", "cannot be there"),
        ("acme/app name", "cannot be there"),
        ("acme/app\n", "cannot be there"),
        ("quay.io/" + "a" * 256, "more than 255"),
        ("quay.io:0/app", "port"),
        ("quay.io:65536/app", "port"),
        ("quay.io:/app", "port"),
        ("quay.io:\u0665\u0660/app", "port"),
        ("quay..io/app", "host"),
        ("-quay.io/app", "host"),
        ("user:secret.io/app", "port"),
        ("[::1/app", "IPv6"),
        ("[::1%eth0]/app", "IPv6"),
        ("[127.0.0.1]/app", "IPv6"),
        ("[::1]x:5000/app", "IPv6"),
        ("https://quay.io/acme/app", "scheme"),
        ("docker://python", "scheme"),
        ("a" * 2000, "1024"),
    ],
)
def test_what_is_no_reference_is_refused_with_its_reason_and_a_hint(
    written: str, reason: str
) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(written)

    assert caught.value.code == "invalid_reference"
    assert reason in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 300
    assert caught.value.message.replace("…", "").isascii()


@pytest.mark.parametrize(
    "written",
    [
        "alice:c4n-ary@quay.io/acme/app",
        "alice:c4n-ary@quay.io/acme/app:1",
        "alice:c4n-ary@quay.io/acme/app@sha256:abc",
        f"alice:c4n-ary@quay.io/acme/app@sha256:{'0' * 64}",
        "alice:c4n/ary@quay.io/acme/app",
        "alice:c4n@ary@quay.io/acme/app",
        "alice:c4n-ary@quay.io:5000",
        "alice:c4n-ary@sha256:5000",
        "alice:c4n-ary@",
        "https://alice:c4n-ary@quay.io/acme/app",
        "alice:c4n-ary@quay.io/" + "a" * 2000,
    ],
)
def test_a_password_in_a_reference_is_never_repeated(written: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(written)

    said = f"{caught.value.message} {caught.value.hint}"
    assert "c4n" not in said
    assert "ary" not in said
    assert "'...@" in said


def test_who_writes_a_password_is_told_where_it_belongs() -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference("alice:c4nary@quay.io/acme/app")

    assert "a user or a password stands before the registry" in caught.value.message
    assert "docker login" in caught.value.hint
    assert "--password-stdin" in caught.value.hint


@given(
    st.text(min_size=1).filter(lambda text: "@" not in text),
    st.sampled_from(["quay.io/acme/app", "quay.io", "", "localhost:5000/a:b"]),
)
def test_nothing_before_an_at_is_shown(login: str, rest: str) -> None:
    assert without_login(f"{login}@{rest}") == f"...@{rest}"


def test_the_hint_for_capitals_is_the_name_to_write() -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference("acme/My-App")

    assert caught.value.hint == "try acme/my-app"


@pytest.mark.parametrize(
    "name",
    [
        "shop",
        "shop/cart",
        "a/b/c",
        "a.b_c__d-e---f/0",
        "x" * 255,
    ],
)
def test_names_of_the_specification_are_repositories(name: str) -> None:
    assert is_repository_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "shop//cart",
        "Shop/Cart",
        "/shop",
        "shop/",
        "shop/" + "c" * 251,
        "shop?n=1",
        "shop#cart",
        "%2e%2e/shop",
        "shop___cart",
        "shop..cart",
        "shop-",
        "shöp",
        "shop\n",
        None,
        7,
        ["shop"],
    ],
)
def test_registry_list_021_hostile_names_are_no_repositories(name: object) -> None:
    assert not is_repository_name(name)


@pytest.mark.parametrize(
    "name", ["z" + "-z" * 30_000 + "?", "z__" * 40_000, "z." * 50_000, "-" * 90_000]
)
def test_registry_list_022_a_name_made_for_backtracking_is_refused_by_its_length(
    name: str,
) -> None:
    assert not is_repository_name(name)
    assert not is_repository_name(name[:255] + "!")
    assert not is_repository_name(name[:254] + "!")


@pytest.mark.parametrize("tag", ["latest", "3.7-slim", "_", "V1", "a" * 128])
def test_tags_of_the_specification_are_tags(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", ".1", "-1", "a" * 129, "a/b", "a:b", "a\n", "é", None, 3.7]
)
def test_what_is_no_tag_is_not_taken_for_one(tag: object) -> None:
    assert not is_tag(tag)


@given(st.text(), st.frozensets(st.sampled_from(["hub", "a"])))
def test_any_text_is_a_reference_or_refused(
    text: str, configured: frozenset[str]
) -> None:
    try:
        reference = parse_reference(text, configured)
    except InvalidReference:
        return

    assert is_repository_name(reference.repository)
    assert reference.tag is not None or reference.digest is not None


@given(
    st.from_regex(
        r"(hub/|[a-zA-Z0-9.]{1,6}(:[0-9]{1,5})?/)?[a-z0-9/_.-]{1,12}(:[A-Za-z0-9.-]{1,6})?",
        fullmatch=True,
    )
)
def test_the_full_form_of_a_reference_is_the_same_reference(text: str) -> None:
    try:
        reference = parse_reference(text, frozenset({"hub"}))
    except InvalidReference:
        return

    assert reference == parse_reference(str(reference), frozenset({"hub"}))


@settings(max_examples=30)  # to make one takes longer than to read it
@given(text=st.from_regex(REFERENCE_PATTERN, fullmatch=True))
def test_what_is_described_as_a_reference_is_read_as_one(text: str) -> None:
    first, slash, _ = text.partition("/")

    assert parse_reference(text)
    assert not slash or parse_reference(text, frozenset({first}))


@pytest.mark.parametrize(
    "text",
    [
        "python",
        "hub/library/python:3.7",
        "localhost/x",
        "localhost:5000/x",
        "HUB/x",
        "[::1]:65535/a/b",
        "[2001:db8::1]/a",
        "127.0.0.1:5080/tutorial/hello",
        f"a.b/c@{a_digest('x')}",
        "a" * 247,
        "x/" + "a" * 253,
    ],
)
def test_usual_references_are_described(text: str) -> None:
    assert re.search(REFERENCE_PATTERN, text)
    assert parse_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HUB",
        "a_b.c/d",
        "host:70000/a",
        "[:::1]/a",
        "me:secret@host/a",
        "a" * 248,
        "x/" + "a" * 254,
        "h." + "a" * 252 + "/a",
        "https://a/b",
        "python:",
        "python@sha256:1",
    ],
)
def test_what_is_no_reference_is_not_described(text: str) -> None:
    assert not re.search(REFERENCE_PATTERN, text)
    with pytest.raises(InvalidReference):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "other", "meant"),
    [
        (":1.5", "python:3.7", "python:1.5"),
        (":1.5", "127.0.0.1:5000/shop/api", "127.0.0.1:5000/shop/api:1.5"),
        (":1", f"hub/a/b:2@sha256:{'0' * 64}", "hub/a/b:1"),
        (f"@sha256:{'0' * 64}", "hub/a/b:2", f"hub/a/b@sha256:{'0' * 64}"),
        ("node:22", "python:3.7", "node:22"),
    ],
)
def test_a_tag_alone_is_of_the_repository_that_it_stands_beside(
    text: str, other: str, meant: str
) -> None:
    assert beside(text, other) == meant
