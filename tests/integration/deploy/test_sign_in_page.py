"""The page on sign-in: its configuration and its nginx, before a real service, with a
small server in the place of oauth2-proxy that knows people by a cookie."""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import kubernetes_validate
import pytest
import yaml

from support.manifests import Object, shipped
from support.many_repositories import add_repositories
from support.missing import skip_or_fail
from support.page_examples import blocks_of
from support.read_model import NOW
from support.serving import PLAIN, free_address, serving
from support.tokens import a_token, bearer
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings

NGINX: Final = "/usr/sbin/nginx"
PAGE: Final = "deploying/tls-and-sign-in.md"
PEOPLE: Final[Mapping[str, tuple[str, str]]] = {
    "who=alice": ("alice@example.org", "everyone,shop"),
    "who=olga": ("olga@example.org", "platform"),
    "who=eve": ("eve@example.org", "everyone"),
}
"""By their cookie: what oauth2-proxy says of them."""
LIST: Final = "/repositories.json"


class Gate(BaseHTTPRequestHandler):
    """Answers `auth_request` as oauth2-proxy does with `--set-xauthrequest`."""

    def do_GET(self) -> None:
        person = PEOPLE.get(self.headers.get("cookie", ""))
        is_asked = self.path.startswith("/oauth2/sign_in")
        self.send_response(200 if is_asked else 401 if person is None else 202)
        if person is not None:
            self.send_header("X-Auth-Request-Email", person[0])
            self.send_header("X-Auth-Request-Groups", person[1])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def a_gate() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def block(language: str, word: str) -> str:
    (found,) = (
        each.text
        for each in blocks_of(PAGE)
        if each.language == language and word in each.text
    )
    return found


def replaced(text: str, changes: Mapping[str, str]) -> str:
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sign-in")


@pytest.fixture(scope="module")
def addresses() -> tuple[str, str]:
    """Of the service and of nginx."""
    return free_address(), free_address()


@pytest.fixture(scope="module")
def token(folder: Path, addresses: tuple[str, str]) -> str:
    """The configuration of the page, with repositories of two teams; a token."""
    text = replaced(block("yaml", "auth_proxy:"), {"127.0.0.1:8080": addresses[0]})
    file = folder / "weighbridge.yaml"
    file.write_text(
        f"database_url: sqlite:///{folder}/weights.db\n{text}"
        "policies:\n"
        "  - {name: shop, match: {repository: 'shop/*'}, team: shop}\n"
        "  - {name: web, match: {repository: 'web/*'}, team: web}\n"
    )
    settings = load_settings(str(file), {}, KINDS)
    with ready_database(settings) as database:
        add_repositories(database, ["shop/a", "web/a"])
        return a_token(database, "read", NOW)


@pytest.fixture(scope="module")
def service(folder: Path, addresses: tuple[str, str], token: str) -> Iterator[str]:
    if not Path(NGINX).exists():
        skip_or_fail("nginx is not installed")
    assert token
    here, front = addresses
    with a_gate() as gate:
        server = replaced(
            block("nginx", "auth_request"),
            {
                "listen 443 ssl;": f"listen {front};",
                "    ssl_certificate /etc/ssl/weighbridge.pem;\n": "",
                "    ssl_certificate_key /etc/ssl/private/weighbridge.key;\n": "",
                "127.0.0.1:4180": gate,
                "127.0.0.1:8080": here,
            },
        )
        place = folder / "nginx"
        place.mkdir()
        temporary = "".join(
            f"{kind}_temp_path {place}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (place / "nginx.conf").write_text(
            f"daemon off;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}{server}\n}}\n"
        )
        serve = [sys.executable, "-m", "weighbridge", "up"]
        serve += ["--config", str(folder / "weighbridge.yaml")]
        front_end = [NGINX, "-e", "stderr", "-c", str(place / "nginx.conf")]
        with (
            serving(serve, folder, here, "/healthz"),
            serving(front_end, place, front, "/oauth2/sign_in"),
        ):
            yield f"http://{front}"


def get(url: str, path: str, headers: Mapping[str, str]) -> httpx.Response:
    return httpx.get(
        f"{url}{path}", headers=dict(headers), trust_env=False, verify=PLAIN
    )


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(row["repository"] for row in answer.json()["items"])


def test_a_person_sees_their_team_and_an_admin_sees_all(service: str) -> None:
    assert names(get(service, LIST, {"cookie": "who=alice"})) == ["shop/a"]
    assert names(get(service, LIST, {"cookie": "who=olga"})) == ["shop/a", "web/a"]


def test_who_has_not_signed_in_is_sent_there(service: str) -> None:
    answer = get(service, "/repositories.json?sort=name", {})

    assert answer.status_code == 302
    assert answer.headers["location"].endswith(
        "/oauth2/sign_in?rd=/repositories.json?sort=name"
    )


def test_a_person_in_no_team_is_told_so(service: str) -> None:
    answer = get(service, "/", {"cookie": "who=eve", "accept": "text/html"})

    assert answer.status_code == 403
    assert "eve@example.org is signed in and in no team" in answer.text


@pytest.mark.parametrize(
    "header",
    ["X-Auth-Request-Groups", "x-auth-request-groups", "X_Auth_Request_Groups"],
)
def test_what_a_client_says_of_itself_is_replaced(service: str, header: str) -> None:
    claims = {header: "platform", "X-Auth-Request-Email": "olga@example.org"}

    assert names(get(service, LIST, claims | {"cookie": "who=alice"})) == ["shop/a"]
    assert get(service, LIST, claims).status_code == 302
    assert get(service, "/api/v1/repositories", claims).status_code == 401


def test_a_client_does_not_say_its_own_address() -> None:
    """What is believed of a trusted proxy counts the refused webhooks of a sender."""
    locations = block("nginx", "auth_request").split("location ")[1:]
    ours = [each for each in locations if "127.0.0.1:8080" in each]

    without = [
        each
        for each in ours
        if "proxy_set_header X-Forwarded-For $remote_addr;" not in each
    ]

    assert len(ours) == 2
    assert without == []


def test_a_program_has_a_token(service: str, token: str) -> None:
    answer = get(service, "/api/v1/repositories", bearer(token))

    assert names(answer) == ["shop/a", "web/a"]


@pytest.fixture(scope="module")
def ingresses() -> tuple[Object, Object]:
    """Of the service, and of the pages of oauth2-proxy."""
    ours, gate = yaml.safe_load_all(block("yaml", "kind: Ingress"))
    return ours, gate


def annotation(ingress: Object, name: str) -> str:
    prefix = "nginx.ingress.kubernetes.io/"
    return str(ingress["metadata"]["annotations"][f"{prefix}{name}"])


def backend(ingress: Object) -> tuple[str, str, Object]:
    """The host, the path and the Service of its only rule."""
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    return rule["host"], path["path"], path["backend"]["service"]


def test_the_ingress_hands_on_the_headers_of_the_configuration(
    ingresses: tuple[Object, Object],
) -> None:
    proxy = yaml.safe_load(block("yaml", "auth_proxy:"))["web"]["auth_proxy"]

    handed = annotation(ingresses[0], "auth-response-headers")

    assert handed.split(",") == [proxy["user_header"], proxy["groups_header"]]


@pytest.mark.parametrize("version", kubernetes_validate.utils.all_versions()[-3:])
def test_the_ingresses_are_as_the_api_wants_them(
    ingresses: tuple[Object, Object], version: str
) -> None:
    for ingress in ingresses:
        kubernetes_validate.validate(ingress, version, strict=True)

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            ingresses[0] | {"spec": {"rule": []}}, version, strict=True
        )


def test_the_ingress_asks_whom_the_nginx_of_the_page_asks(
    ingresses: tuple[Object, Object],
) -> None:
    nginx = block("nginx", "auth_request")
    ours, gate = ingresses

    asked = urlsplit(annotation(ours, "auth-url"))
    sent_to = urlsplit(annotation(ours, "auth-signin"))

    assert f"auth_request {asked.path};" in nginx
    assert f"return 302 {sent_to.path}?rd=$request_uri;" in nginx
    assert sent_to.query == "rd=$escaped_request_uri"
    # Who is sent to sign in arrives at oauth2-proxy, which asks for no sign-in itself.
    host, path, service = backend(gate)
    assert (host, sent_to.netloc) == (backend(ours)[0],) * 2
    assert f"location {path}/ {{" in nginx
    assert sent_to.path.startswith(f"{path}/")
    assert "annotations" not in gate["metadata"]
    name, port = service["name"], service["port"]["number"]
    inside = f"{name}.{gate['metadata']['namespace']}.svc.cluster.local"
    assert asked.netloc == f"{inside}:{port}"


def test_the_ingress_leads_to_the_service_of_the_manifests(
    ingresses: tuple[Object, Object],
) -> None:
    (service,) = shipped("embedded").of("Service").values()
    _, path, named = backend(ingresses[0])

    assert path == "/"
    assert named["name"] == service["metadata"]["name"]
    assert ingresses[0]["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert named["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
