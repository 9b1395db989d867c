"""A configuration that crawls the replica."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.hub_replica.state import PASSWORD, USER, Hub
from support.vendor_hosts import host_of
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl


def hub_settings(
    folder: Path,
    hub: Hub,
    database_url: str,
    *,
    include: Sequence[str] = (),
    namespaces: Sequence[str] = (),
    limits: Mapping[str, object] | None = None,
    signs_in: bool = False,
) -> Settings:
    """One registry, `hub`, of the kind dockerhub, by way of a file."""
    registry: dict[str, object] = {
        "name": "hub",
        "kind": "dockerhub",
        "url": hub.registry_url,
        "api_url": hub.api_url,
        "namespaces": list(namespaces),
        "trusted_realm_hosts": [host_of(hub.token_url)],
        "limits": dict(limits or {}),
    }
    if include:
        registry["repositories"] = {"include": list(include)}
    if signs_in:
        registry["auth"] = {"username": USER, "password": PASSWORD}
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [registry]}), encoding="utf-8")
    return load_settings(str(path), {}, KINDS, database_url=database_url)


def crawl_hub(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["hub"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done
