"""The replica on three ports of loopback, and a configuration that crawls it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from support.ghcr_replica.answers import api, registry, storage
from support.ghcr_replica.packages import Packages, Together
from support.ghcr_replica.state import TOKEN, USER, GitHub
from support.platform_content import platform_content
from support.replica.changes import ChangingContent
from support.vendor_hosts import vendor_host
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import open_database

TAGS = 8
APP, CLI, SITE = "acme/app", "acme/tools/cli", "octo/site"


@contextmanager
def ghcr_replica(github: GitHub) -> Iterator[GitHub]:
    """Serve it; its URLs are known inside the block."""
    with ExitStack() as stack:
        for name, answering in (
            ("api_url", api),
            ("registry_url", registry),
            ("storage_url", storage),
        ):
            url = stack.enter_context(vendor_host(partial(answering, github)))
            setattr(github, name, url)
        yield github


def ghcr_settings(
    folder: Path,
    github: GitHub,
    database_url: str,
    *,
    organizations: Sequence[str] = (),
    users: Sequence[str] = (),
    include: Sequence[str] = (),
    token: str = TOKEN,
    limits: Mapping[str, object] | None = None,
) -> Settings:
    """One registry, `github`, of the kind ghcr, by way of a file. token: "": none"""
    registry_entry: dict[str, object] = {
        "name": "github",
        "kind": "ghcr",
        "url": github.registry_url,
        "api_url": github.api_url,
        "organizations": list(organizations),
        "users": list(users),
        "limits": dict(limits or {}),
    }
    if include:
        registry_entry["repositories"] = {"include": list(include)}
    if token:
        registry_entry["auth"] = {"username": USER, "password": token}
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [registry_entry]}), encoding="utf-8")
    return load_settings(str(path), {}, KINDS, database_url=database_url)


def crawl_github(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["github"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done


def a_github(tags: int, tags_per_image: int) -> GitHub:
    """acme/app with so many tags, beside two small packages: one has a slash in its
    name, one is a user's."""
    large = platform_content(APP, tags, tags_per_image)
    content = Together(large, platform_content(CLI, 4, 2), platform_content(SITE, 2, 2))
    return GitHub(Packages(ChangingContent(content)))


def a_small_github() -> GitHub:
    """Eight tags of acme/app in three pages of versions, also at the pages' borders."""
    made = a_github(TAGS, 1)
    made.packages.spread(APP, (0, 50, 99, 100, 150, 199, 200, 220), 230)
    return made


def digests(database_url: str, repository: str = APP) -> dict[str, str]:
    """Of each tag that has one."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "github", repository, limit=1000)
        return {tag.name: str(tag.digest) for tag in page.items if tag.digest}
    finally:
        database.close()


def live(database_url: str, repository: str = APP) -> set[str]:
    """The tags that are not gone."""
    database = open_database(database_url)
    try:
        with database.read() as connection:
            page = tag_page(connection, "github", repository, limit=1000)
        return {tag.name for tag in page.items if tag.deleted_at is None}
    finally:
        database.close()
