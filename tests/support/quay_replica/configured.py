"""A configuration that crawls the replica of Quay."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.quay_replica.state import API_TOKEN, ROBOT, ROBOT_PASSWORD, Quay
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl


def quay_settings(
    folder: Path,
    quay: Quay,
    database_url: str,
    *,
    include: Sequence[str] = (),
    namespaces: Sequence[str] = (),
    has_token: bool = False,
    signs_in: bool = False,
    more: Mapping[str, object] | None = None,
) -> Settings:
    """One registry, `quay`, by way of a file."""
    registry: dict[str, object] = {
        "name": "quay",
        "kind": "quay",
        "url": quay.url,
        "namespaces": list(namespaces),
    }
    if include:
        registry["repositories"] = {"include": list(include)}
    if has_token:
        (folder / "api-token").write_text(f"{API_TOKEN}\n")
        registry["api_token_file"] = str(folder / "api-token")
    if signs_in:
        registry["auth"] = {"username": ROBOT, "password": ROBOT_PASSWORD}
    registry |= more or {}
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [registry]}), encoding="utf-8")
    return load_settings(str(path), {}, KINDS, database_url=database_url)


def crawl_quay(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["quay"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done
