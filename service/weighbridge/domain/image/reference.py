"""References: [registry/]repository[:tag][@digest], read as Docker reads them."""

import ipaddress
import re
from typing import Final

from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.errors import InvalidReference

DOCKER_HUB: Final = "docker.io"
_DOCKER_HUB_LEGACY: Final = "index.docker.io"
DOCKER_HUB_NAMES: Final = (DOCKER_HUB, _DOCKER_HUB_LEGACY)
_EXAMPLES: Final = "write it like python:3.7 or registry.example:5000/shop/cart:v2"
LOGIN_HINT: Final = (
    "leave both out: run `docker login`, or give `auth` for this registry in "
    "weighbridge.yaml, or --user NAME with --password-stdin"
)

# distribution-spec, "Pulling manifests". No two alternatives begin with the same
# character, so matching is linear; the length is checked before all the same.
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = f"{_COMPONENT}(?:/{_COMPONENT})*"
_REPOSITORY: Final = re.compile(_NAME, re.ASCII)
_TAG: Final = re.compile(
    rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{limits.TAG_CHARACTERS - 1}}}", re.ASCII
)
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_HOST_CHARACTERS: Final = 253  # RFC 1035 2.3.4, without the root's dot
_REFERENCE_CHARACTERS: Final = 1024  # the longest parts together have fewer
# The same for programs that know ECMA 262's expressions: a host is what has a dot, a
# capital or a port, or is `localhost`, and what has none of these is part of a name.
_PORTS: Final = (
    "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]"
    "|6553[0-5]"
)
_HEX: Final = "[0-9A-Fa-f]{1,4}"
_IPV6: Final = "|".join(
    [f"(?:{_HEX}:){{7}}{_HEX}", f"(?:{_HEX}:){{1,7}}:", f":(?::{_HEX}){{1,7}}"]
    + [f"(?:{_HEX}:){{1,{7 - n}}}(?::{_HEX}){{1,{n}}}" for n in range(1, 7)]
    + ["::"]
)
_PLAIN: Final = "[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*"
# Nothing but what must not follow is looked for: who makes texts of an expression can
# heed that and no more.
_SHORT: Final = f"(?![^:@]{{{limits.REPOSITORY_NAME_CHARACTERS + 1}}})"
_SHORT_HUB: Final = "(?![^:@]{248})"  # before it comes `library/`
_NAMED_HOST: Final = (
    rf"(?:localhost|(?![^/.:A-Z]*/)(?![^/:]{{{_HOST_CHARACTERS + 1}}}){_HOST.pattern})"
)
TAG_PATTERN: Final = _TAG.pattern
REFERENCE_PATTERN: Final = (
    rf"^(?:(?:{_NAMED_HOST}|\[(?:{_IPV6})\])(?::(?:{_PORTS}))?/{_SHORT}{_NAME}"
    rf"|{_SHORT}{_PLAIN}(?:/{_COMPONENT})+|{_SHORT_HUB}{_COMPONENT})"
    rf"(?::{_TAG.pattern})?(?:@(?:sha256:[0-9a-f]{{64}}|sha512:[0-9a-f]{{128}}))?$"
)
"""What `parse_reference` takes where no registry is configured by its name."""
# What is meant as a digest, though it may be none; up to five digits are a port.
_LIKE_A_DIGEST: Final = re.compile(r"(?i:sha)[0-9]{3}:(?![0-9]{1,5}$)[^/]*", re.ASCII)


class Reference(Struct, frozen=True):
    """One tag or digest in one repository.

    registry:   a configured name, or `host[:port]`
    repository: a checked name, as the registry knows it
    tag:        None only where a digest is given
    digest:     what decides if both are given; the tag is then for people
    """

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None

    def __str__(self) -> str:
        text = f"{self.registry}/{self.repository}"
        if self.tag is not None:
            text += f":{self.tag}"
        return text if self.digest is None else f"{text}@{self.digest}"


def parse_reference(text: str, configured: frozenset[str] = frozenset()) -> Reference:
    """The reference that a person or a URL wrote.

    1. A first component that is a configured registry's name wins, also over a
       Docker Hub user of that name (`docker.io/acme/app` always means Docker Hub).
       The repository is then taken as it is written: only the kind of a registry
       knows whether `python` is short for `library/python` there.
    2. A first component that looks like a host is the registry: it has a `.`, a
       `:` or a capital, or is `localhost`.
    3. Else it is Docker Hub, where a name without a `/` is in `library/`.
    4. The tag is `latest` if neither tag nor digest is given.

    Raises InvalidReference.
    """
    if len(text) > _REFERENCE_CHARACTERS:
        raise _refused(text, f"it has more than {_REFERENCE_CHARACTERS} characters")
    if "://" in text:
        raise _refused(text, "it begins with a scheme", "leave out what precedes //")
    if without_login(text) != text and not text.endswith("@"):
        raise _refused(
            text, "a user or a password stands before the registry", LOGIN_HINT
        )
    name, tag, digest = _split(text)
    registry, repository = _registry_and_repository(text, name, configured)
    if not is_repository_name(repository):
        raise _refused(text, *fault_of_name(repository))
    if tag is None and digest is None:
        tag = "latest"
    return Reference(registry, repository, tag, digest)


def written_tag(text: str) -> str | None:
    """The tag of a reference that `parse_reference` took, None where none is written:
    then a repository may be meant."""
    name, _, _ = text.partition("@")
    _, has_tag, tag = name.rpartition("/")[2].partition(":")
    return tag if has_tag else None


def beside(text: str, other: str) -> str:
    """A reference as it is meant beside another one: `:tag` and `@digest` are of the
    other one's repository."""
    if not text.startswith((":", "@")):
        return text
    path, slash, last = other.partition("@")[0].rpartition("/")
    return path + slash + last.partition(":")[0] + text


def is_repository_name(name: object) -> bool:
    """Whether a registry can have a repository of this name: at most 255
    characters of the distribution-spec's grammar."""
    return (
        isinstance(name, str)
        and len(name) <= limits.REPOSITORY_NAME_CHARACTERS
        and _REPOSITORY.fullmatch(name) is not None
    )


def is_tag(tag: object) -> bool:
    """Whether a repository can have this tag: at most 128 characters."""
    return isinstance(tag, str) and _TAG.fullmatch(tag) is not None


def without_login(text: str) -> str:
    """What may be shown of a text in which a person may have written a user and a
    password before an `@`. A digest, and what is meant as one, stays."""
    body, at, last = text.rpartition("@")
    if at and _LIKE_A_DIGEST.fullmatch(last):
        return f"{_after_login(body)}@{last}"
    return _after_login(text)


def _after_login(text: str) -> str:
    _, at, rest = text.rpartition("@")
    return f"...@{rest}" if at else text


def _split(text: str) -> tuple[str, str | None, Digest | None]:
    name, has_digest, digest = text.partition("@")
    if has_digest and not is_digest(digest):
        raise _refused(
            text,
            "what follows @ is no digest",
            "a digest is sha256: and 64 hexadecimal digits in lower case",
        )
    path, slash, last = name.rpartition("/")
    last, has_tag, tag = last.partition(":")
    if has_tag and not is_tag(tag):
        raise _refused(
            text,
            "what follows : is no tag",
            "a tag has up to 128 letters, digits, '_', '.' or '-'",
        )
    return (
        path + slash + last,
        tag if has_tag else None,
        Digest(digest) if has_digest else None,
    )


def _registry_and_repository(
    text: str, name: str, configured: frozenset[str]
) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and first in configured:
        return first, rest
    registry, repository = DOCKER_HUB, name
    if slash and _looks_like_host(first):
        registry, repository = _host(text, first), rest
    if registry == DOCKER_HUB and repository and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def _looks_like_host(component: str) -> bool:
    return (
        "." in component
        or ":" in component
        or component == "localhost"
        or component.lower() != component
    )


def _host(text: str, component: str) -> str:
    # A host that only its capitals give away keeps them: it is read back as a host.
    lowered = component.lower()
    host, port = _host_and_port(lowered if _looks_like_host(lowered) else component)
    if host.startswith("["):
        host = _ipv6(text, host)
    elif len(host) > _HOST_CHARACTERS or _HOST.fullmatch(host) is None:
        raise _refused(text, "the registry is not a host name or address")
    if port is None:
        return DOCKER_HUB if host == _DOCKER_HUB_LEGACY else host
    if _PORT.fullmatch(port) is None or int(port) > 65_535:
        raise _refused(text, "the registry's port is not a number from 1 to 65535")
    return f"{host}:{port}"


def _host_and_port(component: str) -> tuple[str, str | None]:
    """`[::1]:5000` is `[::1]` and `5000` (RFC 3986 3.2.2)."""
    closing = component.rfind("]") + 1
    host, has_port, port = component[closing:].partition(":")
    return component[:closing] + host, port if has_port else None


def _ipv6(text: str, host: str) -> str:
    try:
        if "%" in host or not host.endswith("]"):
            raise ValueError(host)
        return f"[{ipaddress.IPv6Address(host[1:-1])}]"
    except ValueError as exc:
        raise _refused(text, "the registry is not an IPv6 address in brackets") from exc


def fault_of_name(repository: str) -> tuple[str, str]:
    """What is wrong with a name that is no repository's, and a hint."""
    if not repository:
        return "the repository's name is missing", _EXAMPLES
    if len(repository) > limits.REPOSITORY_NAME_CHARACTERS:
        most = limits.REPOSITORY_NAME_CHARACTERS
        return f"the repository's name has more than {most} characters", _EXAMPLES
    if is_repository_name(repository.lower()):
        return "the repository's name has capitals", f"try {repository.lower()}"
    return "the repository's name has a character that cannot be there", _EXAMPLES


def _refused(text: str, why: str, hint: str = _EXAMPLES) -> InvalidReference:
    shown = without_login(text)
    shown = ascii(shown[:80]) + ("…" if len(shown) > 80 else "")
    return InvalidReference(f"{shown} is not an image reference: {why}", hint=hint)
