"""`weighbridge notify`: what is configured, and what became of a test message."""

import json
from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.cli.actions import channels
from weighbridge.cli.actions.channels import Tried, a_test_message
from weighbridge.cli.main import run
from weighbridge.config import load_settings
from weighbridge.errors import NotifyError
from weighbridge.presentation.forms.screen import Screen

Capture = pytest.CaptureFixture[str]

WIDE = Screen()
SLACK = "https://hooks.slack.com/services/T000/B000/c4nary"
CHANNELS = f"""\
channels:
  - {{name: ops, kind: slack, url: '{SLACK}'}}
  - {{name: hook, kind: webhook, url: 'https://hook.example/c4nary?c4nary',
      secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}
  - {{name: phone, kind: apprise, url: 'ntfy://c4nary'}}
  - {{name: mail, kind: email, smtp: {{host: mail.example, username: u,
      password: c4nary}}, from: w@example.org, to: [ops@example.org]}}
  - {{name: am, kind: alertmanager, urls: ['https://a.example', 'https://b.example']}}
routes: [{{channel: ops}}, {{channel: ops, match: {{team: shop}}}}]
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configured(text: str = CHANNELS) -> None:
    Path("weighbridge.yaml").write_text(text)


def test_channels_are_listed_without_their_secrets(capsys: Capture) -> None:
    configured()

    assert run(["notify", "list", "-o", "json"]) == 0

    out = capsys.readouterr().out
    items = json.loads(out)["items"]
    assert [(i["channel"], i["place"], i["signed"], i["routes"]) for i in items] == [
        ("ops", "https://hooks.slack.com", None, 2),
        ("hook", "https://hook.example", True, 0),
        ("phone", "ntfy://", None, 0),
        ("mail", "mail.example:587", None, 0),
        ("am", "https://a.example, https://b.example", None, 0),
    ]
    assert "c4nary" not in out


@pytest.mark.parametrize("output", ["table", "json", "csv", "markdown"])
def test_of_the_url_of_a_channel_only_the_host_is_listed(
    capsys: Capture, output: str
) -> None:
    Path("url").write_text("https://hooks.example:8443/services/c4nary\n")
    configured(
        "channels:\n"
        "  - {name: am, kind: alertmanager,"
        " urls: ['https://a.example/c4nary', 'http://10.0.0.7:9093/c4nary/'],"
        " allow_private: true}\n"
        "  - {name: ops, kind: slack, url_file: url}\n"
    )

    assert run(["notify", "list", "-o", output]) == 0

    out = capsys.readouterr().out
    assert "c4nary" not in out
    assert "https://a.example, http://10.0.0.7:9093" in out.replace("\\", "")
    assert "https://hooks.example:8443" in out.replace("\\", "")


@pytest.mark.parametrize("output", ["table", "csv", "markdown"])
def test_every_form_lists_them(capsys: Capture, output: str) -> None:
    configured()

    assert run(["notify", "list", "-o", output]) == 0

    out = capsys.readouterr().out
    assert len(out.splitlines()) == (7 if output == "markdown" else 6)
    assert "c4nary" not in out


def test_without_channels_it_says_where_they_are_written(capsys: Capture) -> None:
    configured("{}")

    assert run(["notify", "list"]) == 0
    assert capsys.readouterr().out == (
        "no channel is configured: see channels in weighbridge.yaml\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["opps"], "no channel is called 'opps' [unknown_channel]\n  nearest  ops"),
        (["x"], "try    there are ops, hook, phone, mail, am"),
        ([], "name the channels to try, or add --all"),
        (["ops", "--all"], "name the channels to try, or add --all"),
    ],
)
def test_what_cannot_be_tried_is_told(
    capsys: Capture, arguments: list[str], words: str
) -> None:
    configured()

    assert run(["notify", "test", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_without_channels_there_is_nothing_to_try(capsys: Capture) -> None:
    configured("{}")

    assert run(["notify", "test", "--all"]) == 2
    err = capsys.readouterr().err
    assert "no channel is configured [unknown_channel]" in err
    assert "write one under channels: in weighbridge.yaml" in err


def test_a_channel_that_cannot_take_it_ends_with_3(capsys: Capture) -> None:
    # The guard refuses it before anything is sent.
    metadata = "{name: ops, kind: slack, url: 'https://169.254.169.254/c4nary'}"
    configured(f"channels: [{metadata}]")

    assert run(["notify", "test", "ops"]) == 3

    out, err = capsys.readouterr()
    assert "[address_refused]" in out
    assert "c4nary" not in out + err


def test_results_are_a_table_with_the_reason() -> None:
    gone = NotifyError(
        "channel ops: HTTP 404 (no_service)", code="channel_refused", hint="check it"
    )
    results = [Tried("ops", "slack", gone, 0.31), Tried("hook", "webhook", None, 0.12)]

    table = channels.tried(results, "table", WIDE)

    assert table.splitlines() == [
        "CHANNEL  KIND     RESULT  TIME    WHY",
        "ops      slack    failed  0.31 s  HTTP 404 (no_service) [channel_refused]",
        "hook     webhook  taken   0.12 s",
    ]
    assert channels.hints(results) == ["ops: check it"]
    rows = json.loads(channels.tried(results, "json", WIDE))["items"]
    assert [row["code"] for row in rows] == ["channel_refused", None]


def test_a_test_message_says_that_it_is_one() -> None:
    configured("{}")

    message = a_test_message(load_settings(None, {}, KINDS))

    assert message.is_test
    assert message.key != a_test_message(load_settings(None, {}, KINDS)).key
