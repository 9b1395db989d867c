"""The proxy of a registry or a channel."""

from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.value.clashes import proxy_clash, without
from weighbridge.config.value.value_types import (
    SecretFile,
    SecretText,
    StrictModel,
    Username,
    text_of,
)
from weighbridge.config.value.written_address import check_origin
from weighbridge.domain.text.printable import Secret

_EXAMPLE: Final = "http://proxy.example:3128"


def _url(value: object) -> str:
    url = check_origin(text_of(value), "username and password_file beside it")
    parts = urlsplit(url)
    if parts.scheme != "http":
        message = f"must start with http://, as in {_EXAMPLE}: what is sent through a"
        message += " proxy keeps its own TLS"
        raise PydanticCustomError("invalid_url", "{message}", {"message": message})
    if parts.port is None:
        message = f"must name its port, as in {_EXAMPLE}"
        raise PydanticCustomError("invalid_url", "{message}", {"message": message})
    return url


class ProxySettings(StrictModel):
    """An HTTP proxy, and who asks it."""

    url: Annotated[str, PlainValidator(_url)]
    username: Username | None = None
    password: SecretText | None = None
    password_file: SecretFile | None = None

    @model_validator(mode="after")
    def _is_one_login(self) -> Self:
        given = {key for key, value in self if value is not None}
        return without(self, proxy_clash(frozenset(given)))

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def current_login(self) -> tuple[str, Secret] | None:
        """User name and password as they are now: the file is read again, because it
        may have been rotated. None for neither. Raises ConfigError(secret_file)."""
        if self.username is None:
            return None
        password = self.password
        if self.password_file is not None:
            password = read_secret_file(self.password_file)
        return self.username, password or Secret("")


def _is_mapping(value: object) -> object:
    if isinstance(value, str):
        # A password may stand in it: it is not shown.
        words = f"must be a mapping: write proxy: {{url: {_EXAMPLE}}}"
        context = {"message": words, "shown": ""}
        raise PydanticCustomError("invalid_value", "{message}", context)
    return value


OptionalProxy = Annotated[ProxySettings | None, BeforeValidator(_is_mapping)]
