"""Where a service is asked whether it is alive."""

from pathlib import Path

import pytest

from weighbridge.cli.health import own_url
from weighbridge.config import WebSettings
from weighbridge.config.value.tls_settings import TLSSettings


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("10.0.0.7:80", "http://10.0.0.7:80"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("[::]:9000", "http://[::1]:9000"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_what_listens_everywhere_is_asked_on_loopback(bind: str, url: str) -> None:
    assert own_url(WebSettings(bind=bind)) == url


def test_what_speaks_tls_is_asked_over_tls() -> None:
    tls = TLSSettings(cert_file=Path("web.pem"), key_file=Path("web.pem"))

    assert own_url(WebSettings(bind="[::]:8443", tls=tls)) == "https://[::1]:8443"
