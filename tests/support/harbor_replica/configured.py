"""A configuration that crawls the replica of Harbor."""

import json
from collections.abc import Sequence
from pathlib import Path

from support.harbor_replica.state import ROBOT, SECRET, Harbor
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl


def harbor_settings(
    folder: Path,
    harbor: Harbor,
    database_url: str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    signs_in: bool = True,
    kind: str = "harbor",
) -> Settings:
    """One registry, `harbor`, by way of a file."""
    registry: dict[str, object] = {
        "name": "harbor",
        "kind": kind,
        "url": harbor.url,
    }
    only: dict[str, object] = {"exclude": list(exclude)}
    if include:
        only["include"] = list(include)
    registry["repositories"] = only
    if signs_in:
        registry["auth"] = {"username": ROBOT, "password": SECRET}
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [registry]}), encoding="utf-8")
    return load_settings(str(path), {}, KINDS, database_url=database_url)


def crawl_harbor(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["harbor"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done
