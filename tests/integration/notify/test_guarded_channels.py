"""Where messages may go, tried among public addresses in a network of our own."""

from pathlib import Path

import pytest

from support.channel_sink import message_sink
from support.channels import a_channel
from support.namespace import run_in_namespace
from support.receivers import refused
from support.tolds import a_message

pytestmark = pytest.mark.netns

_PUBLIC = "93.184.216.34"
_INSIDE = "10.20.30.40"
_METADATA = "169.254.169.254"
_NETWORK = (f"{_PUBLIC}/32", f"{_INSIDE}/32", f"{_METADATA}/32")


def keys(url: str, *, allow_private: bool) -> dict[str, object]:
    return {
        "kind": "webhook",
        "url": url,
        "allow_private": allow_private,
        "plain_http": True,
    }


def test_a_public_address_is_reached_unasked(tmp_path: Path) -> None:
    async def story() -> None:
        async with message_sink(_PUBLIC) as sink:
            public = keys(sink.url, allow_private=False)
            async with a_channel(tmp_path, **public) as channel:
                await channel.send(a_message())

            assert len(sink.taken) == 1

    run_in_namespace(_NETWORK, story)


@pytest.mark.parametrize("allow_private", [True, False])
def test_metadata_is_never_reached_alert_out_001(
    tmp_path: Path, allow_private: bool
) -> None:
    async def story() -> None:
        async with message_sink(_METADATA) as sink:
            metadata = keys(sink.url, allow_private=allow_private)
            async with a_channel(tmp_path, **metadata) as channel:
                error = await refused(channel.send(a_message()))

            assert (error.code, error.retryable) == ("address_refused", False)
            assert sink.connections == 0

    run_in_namespace(_NETWORK, story)


@pytest.mark.parametrize("host", [_INSIDE, "127.0.0.1"])
def test_a_near_address_in_a_file_is_reached_only_when_that_is_said_alert_out_001(
    tmp_path: Path, host: str
) -> None:
    """The address is replaced while we run: the guard looks at each message."""

    async def story() -> None:
        file = tmp_path / "url"
        file.write_text("https://hook.example/x")
        guarded = {"kind": "webhook", "url_file": "url", "allow_private": False}
        async with message_sink(host) as sink:
            async with a_channel(tmp_path, **guarded) as channel:
                file.write_text(sink.url)
                error = await refused(channel.send(a_message()))
            assert (error.code, sink.connections) == ("address_refused", 0)
            assert "allow_private" in error.message + error.hint

            async with a_channel(tmp_path, **keys(sink.url, allow_private=True)) as ok:
                await ok.send(a_message())
            assert len(sink.taken) == 1

    run_in_namespace(_NETWORK, story)


def test_a_mail_server_inside_is_reached_only_when_that_is_said(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with message_sink(_INSIDE) as sink:
            mail = {
                "kind": "email",
                "allow_private": False,
                "smtp": {"host": _INSIDE, "port": sink.port, "security": "none"},
                "from": "w@example.org",
                "to": ["ops@example.org"],
            }
            async with a_channel(tmp_path, **mail) as channel:
                error = await refused(channel.send(a_message()))

            assert (error.code, sink.connections) == ("address_refused", 0)

    run_in_namespace(_NETWORK, story)
