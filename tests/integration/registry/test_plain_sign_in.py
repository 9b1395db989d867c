"""Registries of Azure, Nexus, Artifactory and zot, crawled through plain `/v2` with the
sign-in that is their own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from support.platform_content import platform_content
from support.quay_replica.content import three_repositories
from support.replica.brute_force import count_by_brute_force
from support.replica.stored import Counted, counted
from support.sign_in_replicas import (
    NO_USER,
    PASSWORD,
    REFRESH_TOKEN,
    USER,
    SignInReplica,
    artifactory,
    azure,
    nexus,
    sign_in_replica,
    zot,
)
from support.vendor_hosts import host_of
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl

Make = Callable[[RegistryContent], SignInReplica]
EACH: Final[dict[str, Make]] = {
    "azure": azure,
    "nexus-basic": nexus,
    "nexus-bearer": lambda content: nexus(content, has_tokens=True),
    "artifactory-basic": lambda content: artifactory(content, has_tokens=False),
    "artifactory-bearer": artifactory,
    "zot-basic": zot,
    "zot-bearer": lambda content: zot(content, has_tokens=True),
}
each = pytest.mark.parametrize("make", EACH.values(), ids=EACH)


class Crawler:
    """Crawls one registry into one database."""

    def __init__(
        self, folder: Path, replica: SignInReplica, *, trusts_realm: bool = True
    ) -> None:
        self.database_url = f"sqlite:///{folder / 'weighbridge.db'}"
        self._file = folder / "weighbridge.yaml"
        self._replica = replica
        self._trusted = [host_of(replica.realm_url)] if trusts_realm else []

    def crawl(self, user: str = USER, password: str = PASSWORD) -> RegistryCrawl:
        return self.crawl_as({"username": user, "password": password})

    def crawl_as(self, auth: dict[str, str]) -> RegistryCrawl:
        registry = {
            "name": "plain",
            "kind": "distribution",
            "url": self._replica.url,
            "auth": auth,
            "trusted_realm_hosts": self._trusted,
        }
        self._file.write_text(json.dumps({"registries": [registry]}))
        settings = load_settings(
            str(self._file), {}, KINDS, database_url=self.database_url
        )
        report = crawl(settings, ["plain"], measure=True, progress=Progress())
        (done,) = report.registries
        return done

    def counted(self) -> dict[str, Counted]:
        return dict(counted(self.database_url))


def all_of(content: RegistryContent) -> dict[str, Counted]:
    return {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in count_by_brute_force(content).repositories.items()
    }


def codes(done: RegistryCrawl) -> set[str]:
    return {fault.code for fault in done.faults}


@pytest.fixture(scope="module")
def content() -> RegistryContent:
    """250 tags, and two repositories of two."""
    return three_repositories()


@each
def test_all_is_found_and_an_unchanged_crawl_reads_no_manifest(
    make: Make, content: RegistryContent, tmp_path: Path
) -> None:
    """Each page and each token of the right scope; the replica notes what is not."""
    with sign_in_replica(make(content)) as replica:
        crawler = Crawler(tmp_path, replica)
        cold = crawler.crawl()
        asked = replica.take_counts()
        unchanged = crawler.crawl()
        asked_again = replica.take_counts()

    # An entry that is no tag is counted, and the rest of the list is read.
    expected = {"invalid_tag"} if replica.odd_tags else set()
    assert codes(cold) == codes(unchanged) == expected
    assert cold.tags == unchanged.tags == 254
    assert crawler.counted() == all_of(content)
    assert asked["get_manifest"] == 254 or asked["head_manifest"]
    assert asked_again["head_manifest"] == 254
    assert asked_again.keys() <= asked.keys() | {"head_manifest"}
    # One for the catalog and one for each repository.
    signed_in = 4 if replica.token_path else 0
    assert asked_again.get("token_get", 0) == signed_in
    assert asked_again["registry_401"] == 2


def test_images_of_two_platforms_are_weighed_behind_azures_storage(
    tmp_path: Path,
) -> None:
    content = platform_content("acme/api", 30)
    with sign_in_replica(azure(content)) as replica:
        crawler = Crawler(tmp_path, replica)
        done = crawler.crawl()

    assert done.faults == ()
    assert crawler.counted() == all_of(content)


@each
@pytest.mark.parametrize("first_is_good", [True, False], ids=["ended", "wrong"])
def test_a_refused_credential_is_said_and_removes_nothing(
    make: Make, content: RegistryContent, tmp_path: Path, first_is_good: bool
) -> None:
    with sign_in_replica(make(content)) as replica:
        crawler = Crawler(tmp_path, replica)
        before = {}
        if first_is_good:
            crawler.crawl()
            before = crawler.counted()
            replica.has_ended = True
            refused = crawler.crawl()
        else:
            refused = crawler.crawl(password="wrong-canary")
        after = crawler.counted()
        replica.has_ended = False
        repaired = crawler.crawl()

    assert refused.state != "ok"
    assert "unauthorized" in codes(refused)
    assert not any("canary" in fault.message for fault in refused.faults)
    assert after == before
    assert codes(repaired) == ({"invalid_tag"} if replica.odd_tags else set())
    assert crawler.counted() == all_of(content)


def test_a_token_that_is_revoked_in_mid_listing_is_replaced(
    content: RegistryContent, tmp_path: Path
) -> None:
    with sign_in_replica(azure(content)) as replica:
        crawler = Crawler(tmp_path, replica)
        replica.tokens_end_in = 4
        done = crawler.crawl()

    assert done.faults == ()
    assert crawler.counted() == all_of(content)
    assert replica.tokens_end_in is None


def test_a_refresh_token_of_azure_is_exchanged_by_post(
    content: RegistryContent, tmp_path: Path
) -> None:
    with sign_in_replica(azure(content)) as replica:
        crawler = Crawler(tmp_path, replica)
        done = crawler.crawl(NO_USER, REFRESH_TOKEN)
        asked = replica.take_counts()
        replica.has_ended = True
        ended = crawler.crawl(NO_USER, REFRESH_TOKEN)

    assert done.faults == ()
    assert asked["token_post"] == 4
    assert "token_get" not in asked
    assert "unauthorized" in codes(ended)
    assert any("refresh token" in fault.message for fault in ended.faults)
    assert crawler.counted() == all_of(content)


def test_an_identity_token_of_docker_login_is_exchanged_by_post(
    content: RegistryContent, tmp_path: Path
) -> None:
    with sign_in_replica(azure(content)) as replica:
        config = tmp_path / "config.json"
        login = {"auth": "YTo=", "identitytoken": REFRESH_TOKEN}
        config.write_text(json.dumps({"auths": {host_of(replica.url): login}}))
        config.chmod(0o600)
        crawler = Crawler(tmp_path, replica)
        done = crawler.crawl_as({"docker_config": str(config)})
        asked = replica.take_counts()

    assert done.faults == ()
    assert asked["token_post"] == 4
    assert "token_get" not in asked
    assert crawler.counted() == all_of(content)


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_where_a_refresh_token_is_refused_by_post_get_is_asked(
    content: RegistryContent, tmp_path: Path, status: int
) -> None:
    """Artifactory's answer is 401."""
    replica = artifactory(content)
    replica.post_refusal = status
    with sign_in_replica(replica):
        crawler = Crawler(tmp_path, replica)
        done = crawler.crawl(NO_USER, REFRESH_TOKEN)
        asked = replica.take_counts()

    assert codes(done) == {"invalid_tag"}
    assert crawler.counted() == all_of(content)
    assert asked["token_post"] == asked["token_get"] == 4


def test_a_password_goes_to_no_token_server_on_another_host(
    content: RegistryContent, tmp_path: Path
) -> None:
    with sign_in_replica(zot(content, has_tokens=True)) as replica:
        crawler = Crawler(tmp_path, replica, trusts_realm=False)
        done = crawler.crawl()

    assert "realm_refused" in codes(done)
    assert "token_get" not in replica.counts
