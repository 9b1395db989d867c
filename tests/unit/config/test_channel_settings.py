"""`channels` and `routes`: what they mean, and what is wrong with a value."""

import contextlib
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.config.channels.channel_settings import ChannelSettings, PostSettings
from weighbridge.config.effective import effective_settings
from weighbridge.domain.message.grouping import Route, RouteMatch
from weighbridge.errors import ConfigError
from weighbridge.notify.channels.email.email_channel import EmailSettings
from weighbridge.notify.channels.webhook.webhook_channel import WebhookChannelSettings

Own = TypeVar("Own", bound=ChannelSettings)
SLACK = "https://hooks.slack.com/services/T000/B000/c4nary"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OPS = f"channels:\n  - {{name: ops, kind: slack, url: '{SLACK}'}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(folder: Path, text: str) -> Settings:
    (folder / "weighbridge.yaml").write_text(text)
    return load_settings(None, {}, KINDS)


def channel(folder: Path, keys: str, model: type[Own]) -> Own:
    """The one channel that has these keys, which is of this kind."""
    (found,) = loaded(folder, f"channels: [{{{keys}}}]").channels
    assert type(found) is model
    return found


def faults(folder: Path, text: str) -> list[str]:
    """The lines of the error, without the file."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    assert "c4nary" not in repr((caught.value.message, caught.value.args))
    assert caught.value.__context__ is None
    lines = caught.value.message.splitlines()
    return [" ".join(line.split()).partition(":")[2] for line in lines]


def fault(folder: Path, keys: str) -> str:
    """The one fault of a channel with these keys, from its key on."""
    (only,) = faults(folder, f"channels: [{{{keys}}}]")
    return only.removeprefix("1 channels[0]").removeprefix(".")


def test_without_channels_nobody_is_told(folder: Path) -> None:
    found = loaded(folder, "{}")

    assert (found.channels, found.routes) == ((), ())
    assert found.message_routes == ()


def test_without_routes_every_channel_is_told_of_everything(folder: Path) -> None:
    text = f"{OPS}  - {{name: hook, kind: webhook, url: 'https://hook.example/x'}}\n"

    assert loaded(folder, text).message_routes == (Route("ops"), Route("hook"))


def test_an_alertmanager_has_routes_of_its_own(folder: Path) -> None:
    text = f"{OPS}  - {{name: am, kind: alertmanager, urls: ['https://am.example']}}\n"

    found = loaded(folder, text)

    assert found.message_routes == (Route("ops"),)
    assert found.alert_routes == (Route("am"),)


def test_a_route_means_what_it_says(folder: Path) -> None:
    text = (
        f"{OPS}"
        "routes:\n"
        "  - match: {severity: critical, team: 'shop*', registry: harbor,\n"
        "            repository: 'shop/*', policy: services}\n"
        "    channel: ops\n"
        "    group_by: [team, policy]\n"
        "    group_wait: 30s\n"
        "    group_interval: 10m\n"
        "    repeat: 2d\n"
    )

    assert loaded(folder, text).message_routes == (
        Route(
            channel="ops",
            match=RouteMatch(("critical",), "shop*", "harbor", "shop/*", "services"),
            group_by=("team", "policy"),
            group_wait_s=30,
            group_interval_s=600,
            repeat_s=172_800,
        ),
    )


def test_a_route_may_be_of_several_severities(folder: Path) -> None:
    text = f"{OPS}routes: [{{channel: ops, match: {{severity: [critical, warning]}}}}]"

    (route,) = loaded(folder, text).message_routes

    assert route.match.severities == ("critical", "warning")


def test_a_route_to_nowhere_is_told_with_what_there_is(folder: Path) -> None:
    text = f"{OPS}routes:\n  - {{channel: opps}}\n"

    assert faults(folder, text) == [
        "4 routes[0].channel = opps is no channel: there is ops"
    ]


def test_two_channels_of_one_name_are_refused(folder: Path) -> None:
    second = "  - {name: ops, kind: teams, url: 'https://teams.example/x'}\n"

    assert faults(folder, OPS + second) == [
        "3 channels[1].name = ops is the name of another channel too"
    ]


def test_every_fault_is_told_at_once(folder: Path) -> None:
    text = (
        "channels:\n"
        f"  - {SLACK}\n"
        "  - {name: ops, kind: slack, url: 'http://hooks.example/c4nary'}\n"
        "  - {name: hook, kind: webhook, url: 'http://10.0.0.7/hook', secret: c4nary}\n"
        "  - {name: am, kind: alertmanager, urls: [c4nary], to: [ops@example.org]}\n"
        "  - {name: mail, kind: email, smtp: {host: 'h:25', password: c4nary},\n"
        "     too: [ops@example.org], from: nobody}\n"
        "routes:\n"
        "  - {match: {severity: loud, teem: x}, channel: ops, group_by: [tag],\n"
        "     group_wait: 5, group_interval: 0s, repeat: 5m}\n"
    )

    assert [line.split()[1] for line in faults(folder, text)] == [
        "channels[0]",
        "channels[1].url",
        "channels[2].url",
        "channels[2].secret",
        "channels[3].to",
        "channels[3].urls[0]",
        "channels[4].smtp.username",
        "channels[4].smtp.host",
        "channels[4].from",
        "channels[4].too",
        "routes[0].match.severity[0]",
        "routes[0].match.teem",
        "routes[0].group_by[0]",
        "routes[0].group_wait",
        "routes[0].group_interval",
        "routes[0].repeat",
    ]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("kind: slak, url: x", "kind = slak one of webhook, slack, teams, email,"),
        ("kind: slack", "url_file is missing (or url)"),
        ("kind: email", "smtp is missing"),
        ("kind: alertmanager", "urls is missing"),
        (f"kind: slack, url: '{SLACK}', secret: {SECRET}", "secret is for kind: web"),
        (f"kind: slack, url: '{SLACK}', to: [a@b.example]", "to is for kind: email"),
        ("kind: apprise, url: 'ntfy://x', allow_private: true", "allow_private is for"),
        (
            f"kind: slack, url: '{SLACK}', proxy: 'http://p'",
            "proxy must be a mapping",
        ),
        (f"kind: slack, url: '{SLACK}', name: a.b", "name is repeated"),
    ],
)
def test_a_kind_has_its_keys_and_no_others(folder: Path, keys: str, words: str) -> None:
    assert faults(folder, f"channels: [{{name: x, {keys}}}]")[0].startswith(
        f"1 channels[0].{words}"
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hooks.example/c4nary", "must start with https:// or http:// and name a host"),
        ("ftp://hooks.example/c4nary", "must start with https:// or http:// and"),
        ("https://", "must start with https:// or http:// and name a host"),
        ("https://a b/c4nary", "holds a space or another character that no URL has"),
        ("https://h/c4nary\\n", "holds a space or another character that no URL has"),
        ("https://user:c4nary@h.example/x", "must not hold a user or password"),
        ("https://h.example:99999/c4nary", "is no URL: write https://HOST/PATH"),
        ("https://h.example/#c4nary", "must not hold a fragment, nor port 0"),
        ("http://h.example/c4nary", "is not encrypted: use https, or set plain_http"),
        ("https://10.0.0.7/c4nary", "leads to a private address: set allow_private"),
        ("https://localhost/c4nary", "leads to a private address: set allow_private"),
        ("https://[fd00::1]/c4nary", "leads to a private address: set allow_private"),
        (
            "https://[::ffff:10.0.0.1]/c4nary",
            "leads to a private address: set allow_private",
        ),
        ("", "must not be empty"),
        ("https://h.example/" + "c4nary" * 1_000, "holds a space or another"),
    ],
)
def test_an_address_that_cannot_be_is_told_and_not_repeated(
    folder: Path, url: str, words: str
) -> None:
    assert fault(folder, f'name: x, kind: webhook, url: "{url}"').startswith(
        f"url {words}"
    )


def test_a_private_address_may_be_said_and_then_needs_no_encryption(
    folder: Path,
) -> None:
    keys = "name: x, kind: webhook, url: 'http://10.0.0.7/hook', allow_private: true"

    assert (
        channel(folder, keys, WebhookChannelSettings).current_url().reveal()
        == "http://10.0.0.7/hook"
    )


def test_a_private_address_beyond_a_proxy_needs_encryption(folder: Path) -> None:
    keys = "name: x, kind: webhook, url: 'http://10.0.0.7/hook', allow_private: true"
    proxy = "proxy: {url: 'http://p.example:3128'}"

    assert fault(folder, f"{keys}, {proxy}").startswith("url is not encrypted")
    channel(folder, f"{keys}, {proxy}, plain_http: true", WebhookChannelSettings)


def test_a_proxys_password_is_read_again_and_not_shown(folder: Path) -> None:
    secret = folder / "proxy"
    secret.write_text("c4nary\n")
    proxy = "{url: 'http://p.example:3128', username: bob, password_file: proxy}"
    keys = f"name: x, kind: slack, url: '{SLACK}', proxy: {proxy}"
    found = channel(folder, keys, PostSettings).proxy
    assert found is not None
    first = found.current_login()

    secret.write_text("c4nary-rotated\n")
    second = found.current_login()

    assert first is not None
    assert second is not None
    assert (first[0], first[1].reveal()) == ("bob", "c4nary")
    assert (second[0], second[1].reveal()) == ("bob", "c4nary-rotated")
    assert "c4nary" not in repr((found, first, second))


def test_plain_http_may_be_said(folder: Path) -> None:
    keys = "name: x, kind: webhook, url: 'http://hook.example/x', plain_http: true"

    assert channel(folder, keys, WebhookChannelSettings).plain_http


def test_an_address_in_a_file_is_checked_and_read_again(folder: Path) -> None:
    secret = folder / "slack"
    secret.write_text(f"{SLACK}\n")
    found = channel(folder, "name: x, kind: slack, url_file: slack", PostSettings)

    secret.write_text("https://hooks.slack.com/services/rotated")

    assert found.current_url().reveal().endswith("/rotated")


def test_a_file_whose_address_is_none_is_told_without_it(folder: Path) -> None:
    (folder / "slack").write_text("c4nary")

    assert fault(folder, "name: x, kind: slack, url_file: slack").startswith(
        "url_file must start with https://"
    )


@pytest.mark.parametrize("key", ["url", "secret"])
def test_a_secret_and_its_file_exclude_each_other(folder: Path, key: str) -> None:
    text = {"url": "https://hook.example/x", "secret": SECRET}
    (folder / "file").write_text(text[key])
    other = {"url": f"secret: {SECRET}", "secret": f"url: '{text['url']}'"}[key]
    keys = f"name: x, kind: webhook, {key}: '{text[key]}', {key}_file: file, {other}"

    assert fault(folder, keys) == f"{key} excludes {key}_file: keep one"


def test_a_key_is_read_again_from_its_file(folder: Path) -> None:
    (folder / "key").write_text(SECRET)
    keys = "name: x, kind: webhook, url: 'https://h.example/x', secret_file: key"
    found = channel(folder, keys, WebhookChannelSettings)
    first = found.current_key()

    (folder / "key").write_text("whsec_" + "QUJD" * 8)

    assert first is not None
    assert found.current_key() == b"ABC" * 8


def test_a_key_that_has_become_none_is_told_without_it(folder: Path) -> None:
    (folder / "key").write_text(SECRET)
    keys = "name: x, kind: webhook, url: 'https://h.example/x', secret_file: key"
    found = channel(folder, keys, WebhookChannelSettings)

    (folder / "key").write_text("c4nary")

    with pytest.raises(ConfigError) as caught:
        found.current_key()
    assert caught.value.code == "invalid_secret"
    assert "c4nary" not in caught.value.message


def test_a_mail_server_has_the_port_of_its_security(folder: Path) -> None:
    ports = {}
    for security in ("starttls", "tls", "none"):
        keys = (
            f"name: x, kind: email, smtp: {{host: h, security: {security}}}, "
            "from: 'Weighbridge <w@example.org>', to: [ops@example.org]"
        )
        smtp = channel(folder, keys, EmailSettings).smtp
        ports[security] = smtp.decided_port

    assert ports == {"starttls": 587, "tls": 465, "none": 25}


@pytest.mark.parametrize(
    ("smtp", "words"),
    [
        ("host: h, username: u", "smtp.password_file is missing (or password)"),
        ("host: h, password: c4nary", "smtp.username is missing"),
        (
            "host: h, username: u, password: c4nary, security: none",
            "smtp.security = none sends the password in the clear: use starttls or tls",
        ),
        ("host: 'h:25'", "smtp.host must be a host, without its port"),
        ("host: h, port: 0", "smtp.port must be at least 1"),
        ("host: h, security: ssl", "smtp.security one of starttls, tls, none"),
    ],
)
def test_a_mail_server_is_checked(folder: Path, smtp: str, words: str) -> None:
    keys = (
        f"name: x, kind: email, smtp: {{{smtp}}}, from: a@b.example, to: [a@b.example]"
    )

    assert fault(folder, keys) == words


@pytest.mark.parametrize(
    "address",
    [
        "ops",
        "ops@",
        "@example.org",
        "ops@example.org, other@example.org",
        "ops@example.org\\nBcc: c4nary@example.org",
        "a b@example.org",
        "Ops <ops@example.org> x",
        "ops@exämple.org",
    ],
)
def test_what_is_no_mail_address_is_refused(folder: Path, address: str) -> None:
    keys = (
        f'name: x, kind: email, smtp: {{host: h}}, from: a@b.example, to: ["{address}"]'
    )

    assert fault(folder, keys).startswith("to[0] ")


def test_all_settings_are_shown_without_secrets(folder: Path) -> None:
    (folder / "weighbridge.yaml").write_text(
        "channels:\n"
        f"  - {{name: hook, kind: webhook, url: '{SLACK}', secret: {SECRET}}}\n"
        "  - {name: mail, kind: email,\n"
        "     smtp: {host: h, username: u, password: c4nary},\n"
        "     from: a@b.example, to: [ops@b.example]}\n"
    )

    shown = repr(effective_settings(None, {}, KINDS))

    assert "'from': ShownValue(value='a@b.example'" in shown
    assert "c4nary" not in shown
    assert SECRET not in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_fault(folder: Path, text: str) -> None:
    quoted = text.encode("unicode_escape").decode().replace('"', '\\"')

    with contextlib.suppress(ConfigError):
        keys = f'name: x, kind: webhook, url: "https://h/{quoted}"'
        channel(folder, keys, WebhookChannelSettings)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://hooks.example/c4nary", "insecure_transport"),
        ("http://10.0.0.4/c4nary", "address_refused"),
        ("c4nary", "invalid_url"),
    ],
)
def test_an_address_that_was_replaced_is_checked_as_at_the_start(
    folder: Path, text: str, code: str
) -> None:
    (folder / "slack").write_text(SLACK)
    found = channel(folder, "name: x, kind: slack, url_file: slack", PostSettings)
    (folder / "slack").write_text(text)

    with pytest.raises(ConfigError) as caught:
        found.current_url()

    assert caught.value.code == code
    assert "slack" in caught.value.message
    assert "c4nary" not in repr((caught.value.message, caught.value.args))
    assert caught.value.__cause__ is None
