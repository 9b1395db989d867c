"""Credentials of a machine for ECR: a role that is assumed, a service account of
Kubernetes (IRSA), Pod Identity. Their servers are on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from support.ecr_replica.configured import crawl_ecr, ecr_settings
from support.ecr_replica.serving import ecr_replica
from support.ecr_replica.state import ECRState, an_ecr
from support.platform_content import platform_content
from support.vendor_hosts import Reply, Request, json_reply, vendor_host

ROLE = "arn:aws:iam::123456789012:role/weighbridge"
KEY_ID, SECRET, SESSION = "ASIAWEIGHBRIDGE0001", "canary of a role", "canary-session"
UNTIL = "2099-01-01T00:00:00Z"


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ECRState]:
    """One that knows the key of the role alone; a machine that has nothing else."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    ecr = an_ecr(platform_content("shop/cart", tags=3, tags_per_image=1))
    ecr.keys, ecr.sessions = {KEY_ID: SECRET}, {KEY_ID: SESSION}
    with ecr_replica(ecr):
        yield ecr
    assert ecr.violations == []


@contextmanager
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """AWS's token service: gives the key of the role. What it was asked."""
    asked: list[dict[str, str]] = []

    def answer(request: Request) -> Reply:
        asked.append({k: v[0] for k, v in parse_qs(request.body.decode()).items()})
        action = asked[-1]["Action"]
        given = (
            f"<AccessKeyId>{KEY_ID}</AccessKeyId><SecretAccessKey>{SECRET}"
            f"</SecretAccessKey><SessionToken>{SESSION}</SessionToken>"
            f"<Expiration>{UNTIL}</Expiration>"
        )
        body = (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<{action}Result><Credentials>{given}</Credentials></{action}Result>"
            f"</{action}Response>"
        )
        return Reply(200, (("Content-Type", "text/xml"),), body.encode())

    with vendor_host(answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield asked


def test_a_role_is_assumed_with_the_configured_key(
    ecr: ECRState, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with sts(monkeypatch) as asked:
        done = crawl(ecr, tmp_path, {"role_arn": ROLE})

    assert done == ("ok", 3)
    (said,) = asked
    assert (said["Action"], said["RoleArn"]) == ("AssumeRole", ROLE)


def test_a_service_account_of_kubernetes_has_the_role_that_its_token_names(
    ecr: ECRState, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("signed by the cluster")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))

    with sts(monkeypatch) as asked:
        done = crawl(ecr, tmp_path, {"auth": None})

    assert done == ("ok", 3)
    (said,) = asked
    assert said["Action"] == "AssumeRoleWithWebIdentity"
    assert said["WebIdentityToken"] == "signed by the cluster"


def test_a_pod_has_the_key_that_the_agent_of_its_node_gives(
    ecr: ECRState, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("of this pod")
    shown: list[str] = []

    def agent(request: Request) -> Reply:
        shown.append(request.authorization)
        given = {"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET}
        return json_reply(200, given | {"Token": SESSION, "Expiration": UNTIL})

    with vendor_host(agent) as url:
        monkeypatch.setenv(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/v1/credentials"
        )
        token = str(tmp_path / "token")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
        done = crawl(ecr, tmp_path, {"auth": None})

    assert done == ("ok", 3)
    assert shown == ["of this pod"]


def crawl(ecr: ECRState, folder: Path, more: dict[str, object]) -> tuple[str, int]:
    """State and tags."""
    database_url = f"sqlite:///{folder / 'weighbridge.db'}"
    done = crawl_ecr(ecr_settings(folder, ecr, database_url, more=more))
    assert done.faults == ()
    return done.state, done.tags
