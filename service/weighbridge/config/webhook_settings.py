"""Who may tell of pushes: `webhooks`."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path as FilePath
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.value.clashes import Clash, without
from weighbridge.config.value.value_types import (
    RegistryName,
    SecretFile,
    SecretText,
    StrictModel,
)
from weighbridge.config.yaml.reader import Path, Plain, mappings
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.webhook.sources.source_table import SOURCES

WEBHOOKS: Final = 1_000
SECRETS: Final = 8
"""Of one webhook: two are enough to replace one by another."""
SECRET_CHARACTERS: Final = 16
# Whatever else it holds would not arrive as it was written.
_HEADER: Final = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z0-9._~-]{1,512}", re.ASCII)
_WAYS: Final = ("secret", "secret_file", "secrets", "secret_files")


def _check(text: str, info: ValidationInfo) -> None:
    if len(text) < SECRET_CHARACTERS:
        raise PydanticCustomError(
            "weak_secret",
            "must have at least {least} characters: openssl rand -hex 32",
            {"least": SECRET_CHARACTERS, "shown": ""},
        )
    is_in_path = _may_be_in_address(info.data.get("source"))
    if not (_PATH if is_in_path else _HEADER).fullmatch(text):
        words = "letters, digits, - . _ and ~" if is_in_path else "ASCII without spaces"
        raise PydanticCustomError(
            "weak_secret",
            "must be {words}: openssl rand -hex 32",
            {"words": words, "shown": ""},
        )


def _secret(value: Secret, info: ValidationInfo) -> Secret:
    _check(value.reveal(), info)
    return value


def _secret_file(path: FilePath, info: ValidationInfo) -> FilePath:
    _check(read_secret_file(path).reveal(), info)
    return path


def _source(value: object) -> str:
    if isinstance(value, str) and value in SOURCES:
        return value
    *names, last = (f"'{name}'" for name in SOURCES)
    expected = f"{', '.join(names)} or {last}"
    raise PydanticKnownError("literal_error", {"expected": expected})


def _may_be_in_address(source: str | None) -> bool:
    return source is not None and SOURCES[source].secret_ways.in_address


Source = Annotated[str, PlainValidator(_source)]
WebhookSecret = Annotated[SecretText, AfterValidator(_secret)]
WebhookSecretFile = Annotated[SecretFile, AfterValidator(_secret_file)]


class WebhookSettings(StrictModel):
    """One sender: what it knows, and which registry it speaks for."""

    # Before the secrets, which are checked against it.
    source: Source
    registry: RegistryName
    secret: WebhookSecret | None = None
    secret_file: WebhookSecretFile | None = None
    secrets: Annotated[tuple[WebhookSecret, ...], Field(max_length=SECRETS)] = ()
    secret_files: Annotated[
        tuple[WebhookSecretFile, ...], Field(max_length=SECRETS)
    ] = ()

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        given = {key for key in _WAYS if getattr(self, key)}
        return without(self, secret_clash(given))

    @property
    def files(self) -> tuple[FilePath, ...]:
        """Those that hold its secrets."""
        return self.secret_files or (
            () if self.secret_file is None else (self.secret_file,)
        )

    @property
    def written_secrets(self) -> tuple[Secret, ...]:
        """Those that are written in the configuration itself."""
        return self.secrets or (() if self.secret is None else (self.secret,))

    def current_secrets(self) -> tuple[Secret, ...]:
        """All that are valid now: files are read again, because a secret may have
        been replaced. Raises ConfigError(secret_file)."""
        return self.written_secrets + tuple(map(read_secret_file, self.files))


Webhooks = Annotated[tuple[WebhookSettings, ...], Field(max_length=WEBHOOKS)]


def secret_clash(keys: Set[str]) -> Clash | None:
    """keys: those of a webhook's secrets that have a value"""
    if not keys:
        return Clash("secret_file", "missing_key", "is missing (or secret)")
    first, *others = sorted(keys)
    if others:
        return Clash(first, "twin_keys", f"excludes {others[0]}: keep one")
    return None


def webhook_clashes(
    tree: Mapping[str, Plain], parts: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Path, Clash]]:
    """Every clash of what is written under `webhooks`, with the path of its mapping.

    parts: of each entry that is several registries, their names
    """
    entries = mappings(tree.get("registries"))
    known = {name for _, entry in entries for name in _texts(entry.get("name"))}
    known = known.difference(parts).union(*parts.values())
    names = ", ".join(sorted(known))
    seen: set[tuple[str, str]] = set()
    for index, entry in mappings(tree.get("webhooks")):
        path: Path = ("webhooks", index)
        registry, source = entry.get("registry"), str(entry.get("source"))
        if isinstance(registry, str) and registry not in known:
            words = f"is no registry: there is {names or 'none'}"
            yield path, Clash("registry", "unknown_registry", words, registry)
        for key in _WAYS:
            for text in _texts(entry.get(key)):
                if (source, text) in seen:
                    words = (
                        "is another webhook's too: the secret identifies the registry"
                    )
                    yield path, Clash(key, "duplicate_secret", words)
                seen.add((source, text))
        # What is missing may be there, with a slip in its name.
        if entry.keys() <= {"source", "registry", *_WAYS}:
            clash = secret_clash({key for key in _WAYS if entry.get(key)})
            if clash is not None:
                yield path, clash


def _texts(value: Plain) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            yield each
