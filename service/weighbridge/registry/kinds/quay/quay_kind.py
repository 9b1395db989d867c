"""Quay as a kind of registry, with the keys that it has besides those of all: quay.io,
Red Hat Quay and Project Quay, which are one program.

Its API is on the registry's own host (`/api/v1`) and takes an OAuth token, no password;
its registry takes users, robots and OAuth tokens. So there is a credential for each.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config import RegistrySettings
from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.registries.registry_settings import AUTO
from weighbridge.config.value.clashes import Clash, without
from weighbridge.config.value.value_types import RegistryURL, SecretFile, SecretText
from weighbridge.domain.text.globs import EVERYTHING, Patterns
from weighbridge.domain.text.printable import Secret
from weighbridge.registry.exchange.kind_signs import KindProbe, KindSigns
from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.quay.quay_collector import COLLECTOR

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )


QUAY_IO: Final = "quay.io"
QUAY_NAMESPACES: Final = 1_000

# util/validation.py of quay/quay: users and organisations, 2 to 255 characters.
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_NAME_CHARACTERS: Final = 255


def _namespace(value: object) -> str:
    is_short = isinstance(value, str) and len(value) <= _NAME_CHARACTERS
    if isinstance(value, str) and is_short and _NAME.fullmatch(value):
        return value
    raise PydanticCustomError(
        "invalid_name", "must be a user or organisation of Quay, in lower case"
    )


QuayNamespace = Annotated[str, PlainValidator(_namespace)]


class QuaySettings(RegistrySettings):
    """An entry of Quay.

    api_token:  an OAuth token of its API; api_token_file: the file that holds it
    namespaces: whose repositories are crawled, all of them
    """

    hosts: ClassVar = MappingProxyType({QUAY_IO: QUAY_IO})

    url: RegistryURL
    api_token: SecretText | None = None
    api_token_file: SecretFile | None = None
    namespaces: Annotated[
        tuple[QuayNamespace, ...], Field(max_length=QUAY_NAMESPACES)
    ] = ()

    @property
    def wanted_repositories(self) -> Patterns:
        return Patterns(self._patterns, self.repositories.exclude)

    @property
    def listed_namespaces(self) -> tuple[str, ...]:
        """Those whose repositories are listed to find the wanted; none where all that
        the registry shows are listed."""
        if self.lists_all:
            return ()
        globs = (pattern for pattern in self._patterns if "*" in pattern)
        found = (glob.partition("/")[0] for glob in globs if "/" in glob)
        return tuple(dict.fromkeys(name for name in found if "*" not in name))

    @property
    def lists_all(self) -> bool:
        """Whether one listing of everything is what finds the wanted. Of quay.io nobody
        can mean that."""
        return not self._is_quay_io and any(
            "*" in pattern.partition("/")[0] for pattern in self._patterns
        )

    @property
    def signs_in(self) -> bool:
        tokens = (self.api_token, self.api_token_file)
        return super().signs_in or any(token is not None for token in tokens)

    def current_api_token(self) -> Secret | None:
        """The token as it is now: its file is read again, because it may have been
        replaced. Raises ConfigError(secret_file)."""
        if self.api_token_file is not None:
            return read_secret_file(self.api_token_file)
        return self.api_token

    @property
    def _is_quay_io(self) -> bool:
        return self.host in self.hosts

    @property
    def _patterns(self) -> tuple[str, ...]:
        """`repositories.include` together with all of the namespaces; where only these
        are given, they are all that is meant."""
        include = self.repositories.include
        is_theirs = bool(self.namespaces) and include == EVERYTHING
        mine = tuple(f"{name}/*" for name in self.namespaces)
        return (*(() if is_theirs else include), *mine)

    @model_validator(mode="after")
    def _says_one_token_and_what_is_meant(self) -> Self:
        clash = None
        if self.api_token is not None and self.api_token_file is not None:
            words = "excludes api_token_file: keep one"
            clash = Clash("api_token", "invalid_auth", words)
        # Who left the kind to us may only want to sign in there.
        elif self.kind != AUTO and self._is_quay_io:
            clash = _nothing_named(self._patterns, self.listed_namespaces)
        return without(self, clash)


def _nothing_named(patterns: Sequence[str], namespaces: Sequence[str]) -> Clash | None:
    if namespaces or any("*" not in pattern for pattern in patterns):
        return None
    words = (
        "is missing: all of quay.io is never crawled, so name users and organisations"
        " here, or in repositories.include (acme/*, acme/api)"
    )
    return Clash("namespaces", "missing_key", words)


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.quay.quay_registry import open_quay

    return open_quay(endpoint, access)


def _is_description(answer: Mapping[str, object]) -> bool:
    about = answer.get("info")
    return isinstance(about, dict) and about.get("title") == "Quay Frontend"


def _lacks(entry: RegistrySettings) -> str:
    """A robot's password opens the registry and its catalog, and not the API: of its
    private repositories the tags come by name alone, each to be asked for."""
    has_token = isinstance(entry, QuaySettings) and (
        entry.api_token is not None or entry.api_token_file is not None
    )
    if entry.auth is None or has_token:
        return ""
    return (
        "and api_token_file: without it each tag of a private repository is asked for"
    )


QUAY: Final = RegistryKind(
    settings=QuaySettings,
    open=_open,
    # storage/basestorage.py of quay/quay: the place of a blob is made of its digest
    # alone, whatever repository or namespace it was pushed to.
    storage_scope="registry",
    collector=COLLECTOR,
    signs=KindSigns(
        services=frozenset({QUAY_IO}),
        # endpoints/api/discovery.py: for everybody, also where nobody may read.
        probe=KindProbe(
            "/api/v1/discovery",
            _is_description,
            "that is Quay's API",
        ),
        lacks=_lacks,
    ),
)
