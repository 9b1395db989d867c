"""All kinds of channels: the keys of each in the configuration, and what makes its
notifier, which is imported only then. A new one is an entry here, and a module beside
this."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from pathlib import Path as FilePath
from typing import (
    TYPE_CHECKING,
    Annotated,
    ClassVar,
    Final,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
)

from msgspec import Struct
from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.channels.channel_settings import (
    URL_CHARACTERS,
    ChannelSettings,
    HTTPSettings,
    PostSettings,
    ReachSettings,
    URLSettings,
    check_http_url,
    no_url,
    refused_secretly,
    url_host,
)
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
from weighbridge.errors import ConfigError

if TYPE_CHECKING:
    from weighbridge.ports.protocols import Notifier

Own = TypeVar("Own", bound=ChannelSettings)
OpenChannel: TypeAlias = Callable[[ChannelSettings], "Notifier"]


class ChannelKind(Struct, frozen=True):
    """One kind of channel; a line of `CHANNEL_KINDS`.

    settings: the model of its entries in the configuration
    open:     makes the notifier of one, which is imported only then. Raises
              ConfigError(ca_file)
    """

    settings: type[ChannelSettings]
    open: OpenChannel


def channel_kind(settings: type[Own], make: Callable[[Own], "Notifier"]) -> ChannelKind:
    """A kind whose notifiers are made from its own settings."""

    def open_channel(channel: ChannelSettings) -> "Notifier":
        assert isinstance(channel, settings)  # noqa: S101 - the table says which
        return make(channel)

    return ChannelKind(settings, open_channel)


_SIGNING: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)  # standard-webhooks, "Signature scheme"


def signing_key(secret: Secret) -> bytes:
    """The key in a `whsec_` secret. Raises ValueError."""
    prefix, text = secret.reveal()[: len(_SIGNING)], secret.reveal()[len(_SIGNING) :]
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if prefix != _SIGNING or len(key) not in _KEY_BYTES:
        # Not from the decoder's error, which would show a part of the text.
        raise ValueError("no whsec_ secret of 24 to 64 bytes") from None
    return key


def _signing(value: Secret) -> Secret:
    try:
        signing_key(value)
    except ValueError as exc:
        raise _no_signing_secret() from exc
    return value


def _signing_file(path: FilePath) -> FilePath:
    _signing(read_secret_file(path))
    return path


def _no_signing_secret() -> PydanticCustomError:
    words = "must be whsec_ and 24 to 64 bytes in base64: openssl rand -base64 32"
    return refused_secretly("invalid_secret", words)


SigningSecret = Annotated[SecretText, AfterValidator(_signing)]
SigningSecretFile = Annotated[SecretFile, AfterValidator(_signing_file)]


class WebhookChannelSettings(PostSettings):
    """An entry of `channels` with `kind: webhook`."""

    secret: SigningSecret | None = None
    secret_file: SigningSecretFile | None = None

    @property
    def is_signed(self) -> bool:
        return self.secret is not None or self.secret_file is not None

    def current_key(self) -> bytes | None:
        """The key that messages are signed with as it is now, None for none. Raises
        ConfigError(secret_file, invalid_secret)."""
        secret = self.secret
        if self.secret_file is not None:
            secret = read_secret_file(self.secret_file)
        if secret is None:
            return None
        try:
            return signing_key(secret)
        except ValueError as exc:
            words = f"{self.secret_file} holds {exc}"
            raise ConfigError(words, code="invalid_secret") from None


def _open_webhook(channel: WebhookChannelSettings) -> "Notifier":
    # Late: who only reads the configuration sends nothing.
    from weighbridge.notify.channels.webhook import WebhookNotifier
    from weighbridge.notify.post import receiver_of

    return WebhookNotifier(receiver_of(channel), channel.current_key)


WEBHOOK: Final = channel_kind(WebhookChannelSettings, _open_webhook)


def _open_slack(channel: PostSettings) -> "Notifier":
    from weighbridge.notify.channels.slack import slack_payload
    from weighbridge.notify.post import JSONNotifier, receiver_of

    return JSONNotifier(receiver_of(channel), slack_payload)


SLACK: Final = channel_kind(PostSettings, _open_slack)


def _open_teams(channel: PostSettings) -> "Notifier":
    from weighbridge.notify.channels.teams import teams_payload
    from weighbridge.notify.post import JSONNotifier, receiver_of

    return JSONNotifier(receiver_of(channel), teams_payload)


TEAMS: Final = channel_kind(PostSettings, _open_teams)


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


def _open_email(channel: EmailSettings) -> "Notifier":
    from weighbridge.net.connection.connect import mail_tls
    from weighbridge.notify.channels.email_notifier import EmailNotifier
    from weighbridge.notify.channels.smtp import MailServer
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


EMAIL: Final = channel_kind(EmailSettings, _open_email)


ALERTMANAGERS: Final = 16
_ALERTS: Final = "/api/v2/alerts"


def _listed_url(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise refused_secretly("invalid_value", "must be a text: put it in quotes")
    if "?" in value:
        raise refused_secretly("invalid_url", "must end before the query")
    if "kind" in info.data:
        check_http_url(value, info.data)
    return value.rstrip("/")


ListedURL = Annotated[str, PlainValidator(_listed_url)]


class AlertmanagerSettings(HTTPSettings):
    """An entry of `channels` with `kind: alertmanager`."""

    takes_messages: ClassVar[bool] = False

    urls: Annotated[tuple[ListedURL, ...], Field(max_length=ALERTMANAGERS)]

    @property
    def place(self) -> str:
        return ", ".join(map(url_host, self.urls))


def _open_alertmanager(channel: AlertmanagerSettings) -> "Notifier":
    from weighbridge.notify.channels.alertmanager import (
        Alertmanager,
        AlertmanagerNotifier,
    )
    from weighbridge.notify.post import MessageReceiver, transport_of

    receivers = [
        MessageReceiver(
            channel.name, partial(Secret, f"{url}{_ALERTS}"), transport_of(channel)
        )
        for url in channel.urls
    ]
    is_alone = len(receivers) == 1
    each = [
        Alertmanager(receiver, None if is_alone else number)
        for number, receiver in enumerate(receivers, start=1)
    ]
    return AlertmanagerNotifier(channel.name, each)


ALERTMANAGER: Final = channel_kind(AlertmanagerSettings, _open_alertmanager)


_APPRISE_URL: Final = re.compile(r"[a-z][a-z0-9]{1,30}://\S+", re.ASCII)


class AppriseSettings(URLSettings):
    """An entry of `channels` with `kind: apprise`."""

    @classmethod
    def check_url(cls, text: str, said: Mapping[str, object]) -> None:
        if len(text) > URL_CHARACTERS or not _APPRISE_URL.fullmatch(text):
            raise no_url("is no URL of apprise, such as ntfy://TOPIC")

    @classmethod
    def shown_place(cls, url: str) -> str:
        # What follows may be the token itself.
        return f"{url.partition(':')[0]}://"


def _open_apprise(channel: AppriseSettings) -> "Notifier":
    from weighbridge.notify.channels.apprise import AppriseNotifier

    return AppriseNotifier(channel.name, channel.current_url)


APPRISE: Final = channel_kind(AppriseSettings, _open_apprise)


CHANNEL_KINDS: Final[Mapping[str, ChannelKind]] = {
    "webhook": WEBHOOK,
    "slack": SLACK,
    "teams": TEAMS,
    "email": EMAIL,
    "alertmanager": ALERTMANAGER,
    "apprise": APPRISE,
}
"""Each by its name in the configuration, as they are named to people."""
