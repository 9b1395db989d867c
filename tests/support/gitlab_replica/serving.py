"""The replica on two ports of loopback, and a configuration that crawls it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from support.gitlab_replica.api import api
from support.gitlab_replica.registry import registry
from support.gitlab_replica.state import API_TOKEN, PASSWORD, USER, GitLab
from support.vendor_hosts import vendor_host
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl


@contextmanager
def gitlab_replica(lab: GitLab) -> Iterator[GitLab]:
    """Serve it; its URLs are known inside the block."""
    with ExitStack() as stack:
        lab.api_url = stack.enter_context(vendor_host(partial(api, lab)))
        lab.registry_url = stack.enter_context(vendor_host(partial(registry, lab)))
        yield lab


def gitlab_settings(
    folder: Path,
    lab: GitLab,
    database_url: str,
    *,
    groups: Sequence[str] = (),
    projects: Sequence[str] = (),
    include: Sequence[str] = (),
    password: str | None = PASSWORD,
    api_token: str | None = API_TOKEN,
    limits: Mapping[str, object] | None = None,
) -> Settings:
    """One registry, `lab`, of the kind gitlab, by way of a file."""
    entry: dict[str, object] = {
        "name": "lab",
        "kind": "gitlab",
        "url": lab.registry_url,
        "api_url": lab.api_url,
        "groups": list(groups),
        "projects": list(projects),
        "limits": dict(limits or {}),
    }
    if include:
        entry["repositories"] = {"include": list(include)}
    if password is not None:
        entry["auth"] = {"username": USER, "password": password}
    if api_token is not None:
        entry["api_token"] = api_token
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [entry]}), encoding="utf-8")
    return load_settings(str(path), {}, KINDS, database_url=database_url)


def crawl_gitlab(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["lab"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done
