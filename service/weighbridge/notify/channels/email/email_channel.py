"""E-mail as a kind of channel."""

import re
from collections.abc import Iterator, Mapping, Set
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config.channels.channel_settings import ReachSettings
from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.kinds import given_keys
from weighbridge.config.value.clashes import Clash, without
from weighbridge.config.value.value_types import (
    SecretFile,
    SecretText,
    StrictModel,
    Username,
)
from weighbridge.config.value.written_address import is_host
from weighbridge.config.yaml.reader import Path, Plain
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.notify.channel_kind import channel_kind

if TYPE_CHECKING:
    from weighbridge.ports.protocols import Notifier

Security: TypeAlias = Literal["starttls", "tls", "none"]

RECIPIENTS: Final = 50
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_ADDRESS: Final = (
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})"
)
# A name has none of RFC 5322's specials, which would need quotes.
_MAIL: Final = re.compile(rf"{_ADDRESS}|[^<>()\[\]\\,;:@\".]{{1,100}} <{_ADDRESS}>")


def _smtp_host(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if not is_host(text):
        raise PydanticCustomError("invalid_host", "must be a host, without its port")
    return text.lower()


def _mail_address(value: object) -> str:
    """RFC 5322 3.4, in ASCII but for the name: no line of a header can be ended."""
    text = value if isinstance(value, str) else ""
    if not _MAIL.fullmatch(text) or printable(text) != text:
        raise PydanticCustomError(
            "invalid_mail_address", "must be ops@example.org or Name <ops@example.org>"
        )
    return text


SMTPHost = Annotated[str, PlainValidator(_smtp_host)]
MailAddress = Annotated[str, PlainValidator(_mail_address)]


class SMTPSettings(StrictModel):
    """The mail server that takes messages."""

    host: SMTPHost
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Security = "starttls"
    username: Username | None = None
    password: SecretText | None = None
    password_file: SecretFile | None = None

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        given = frozenset(key for key, value in self if value is not None)
        return without(self, _smtp_clash(given, self.security))

    @property
    def decided_port(self) -> int:
        return self.port or _PORTS[self.security]

    def current_password(self) -> Secret | None:
        """The password as it is now. Raises ConfigError(secret_file)."""
        if self.password_file is not None:
            return read_secret_file(self.password_file)
        return self.password


class EmailSettings(ReachSettings):
    """An entry of `channels` with `kind: email`. from_: the key `from`"""

    smtp: SMTPSettings
    from_: Annotated[MailAddress, Field(alias="from")]
    to: Annotated[tuple[MailAddress, ...], Field(max_length=RECIPIENTS)]

    @property
    def place(self) -> str:
        return f"{self.smtp.host}:{self.smtp.decided_port}"

    @classmethod
    def clashes_within(cls, entry: Mapping[str, Plain]) -> Iterator[tuple[Path, Clash]]:
        smtp = entry.get("smtp")
        if isinstance(smtp, dict):
            security = str(smtp.get("security", ""))
            if (clash := _smtp_clash(given_keys(smtp), security)) is not None:
                yield ("smtp",), clash


def _smtp_clash(keys: Set[str], security: str) -> Clash | None:
    """keys: those of `smtp` that have a value"""
    passwords = keys & {"password", "password_file"}
    if len(passwords) > 1:
        return Clash("password", "twin_keys", "excludes password_file: keep one")
    if passwords and "username" not in keys:
        return Clash("username", "missing_key", "is missing")
    if "username" in keys and not passwords:
        return Clash("password_file", "missing_key", "is missing (or password)")
    if passwords and security == "none":
        words = "sends the password in the clear: use starttls or tls"
        return Clash("security", "insecure_transport", words, security)
    return None


def _open(channel: EmailSettings) -> "Notifier":
    # Late: who only reads the configuration sends nothing.
    from weighbridge.net.connection.connect import mail_tls
    from weighbridge.notify.channels.email.notifier import EmailNotifier
    from weighbridge.notify.channels.email.smtp import MailServer
    from weighbridge.notify.post import ca_file_of, ceiling_of

    smtp = channel.smtp
    server = MailServer(
        host=smtp.host,
        port=smtp.decided_port,
        security=smtp.security,
        tls=partial(mail_tls, ca_file_of(channel)),
        username=smtp.username,
        password=smtp.current_password,
    )
    ceiling = ceiling_of(channel)
    return EmailNotifier(channel.name, server, ceiling, channel.from_, channel.to)


EMAIL: Final = channel_kind(EmailSettings, _open)
