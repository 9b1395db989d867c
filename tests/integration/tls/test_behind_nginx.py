"""The real nginx of Debian in front, as docs/deploying/tls-and-sign-in.md shows it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from support.certificates import Authority, an_authority
from support.missing import skip_or_fail
from support.page_examples import blocks_of
from support.serving import free_address, serving

pytestmark = pytest.mark.long
PAGE: Final = "deploying/tls-and-sign-in.md"
SECTION: Final = "Behind a proxy"
HOST: Final = "weighbridge.example"
NGINX: Final = """\
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
    uwsgi_temp_path u; scgi_temp_path s;
    {server}
}}
"""


@dataclass(frozen=True, slots=True)
class Proxied:
    """What people reach."""

    port: str
    authority: Authority
    token: str

    def curl(self, path: str, *arguments: str) -> str:
        """The answer with its head."""
        command = ["curl", "--silent", "--show-error", "--include", "--noproxy", "*"]
        command += ["--resolve", f"{HOST}:{self.port}:127.0.0.1"]
        done = subprocess.run(
            [
                *command,
                *("--cacert", self.authority.ca_file, *arguments),
                f"https://{HOST}:{self.port}{path}",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def block(language: str) -> str:
    (found,) = (
        b for b in blocks_of(PAGE) if (b.language, b.heading) == (language, SECTION)
    )
    return found.text


@contextmanager
def nginx(folder: Path, server: str) -> Iterator[None]:
    (folder / "nginx.conf").write_text(NGINX.format(server=server))
    command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    try:
        process = subprocess.Popen(command, cwd=folder)
    except FileNotFoundError:
        skip_or_fail("nginx is not installed")
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxied")
    authority = an_authority(folder)
    (folder / "tls").mkdir()
    pem = authority.server_file(HOST).read_bytes()
    for name in ("web.pem", "web.key"):
        (folder / "tls" / name).write_bytes(pem)
    inner, port = free_address(), free_address().rpartition(":")[2]
    web = block("yaml").replace("127.0.0.1:8080", inner)
    (folder / "weighbridge.yaml").write_text(f"database_url: sqlite:///w.db\n{web}")
    server = block("nginx").replace("127.0.0.1:8080", inner)
    server = server.replace("listen 443", f"listen 127.0.0.1:{port}")
    command = [sys.executable, "-m", "weighbridge"]
    token = subprocess.run(
        [*command, "token", "create", "--role", "read"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    with serving([*command, "up"], folder, inner, "/healthz"), nginx(folder, server):
        found = Proxied(port, authority, token)
        yield found


def test_pages_come_through_with_a_token_and_not_without(proxied: Proxied) -> None:
    retry = ("--retry", "20", "--retry-delay", "1", "--retry-connrefused")

    without = proxied.curl("/", *retry)
    page = proxied.curl("/", "--user", f"me:{proxied.token}")

    assert without.startswith("HTTP/1.1 401")
    assert page.startswith("HTTP/1.1 200")
    # Whatever a proxy calls itself: links are paths alone.
    links = re.findall(r'(?:href|src|action)="([^"]+)"', page)
    assert links
    assert not [link for link in links if "//" in link]


@pytest.mark.parametrize("path", ["/", "/violations/", "/api/v1/openapi.json"])
def test_a_forwarded_host_or_scheme_is_nowhere_in_an_answer(
    proxied: Proxied, path: str
) -> None:
    forged = [
        *("--header", "X-Forwarded-Host: evil.example"),
        *("--header", "X-Forwarded-Proto: gopher"),
        *("--header", "X-Forwarded-Prefix: /evil.example"),
        *("--header", "Forwarded: host=evil.example;proto=gopher"),
    ]

    answer = proxied.curl(path, "--user", f"me:{proxied.token}", *forged)

    assert "evil.example" not in answer
    assert "gopher" not in answer
    head = answer.partition("\r\n\r\n")[0].lower()
    assert "\nlocation:" not in head
    assert "\nset-cookie:" not in head
