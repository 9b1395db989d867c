"""A configuration that crawls the replica."""

import json
from collections.abc import Mapping
from pathlib import Path

from support.ecr_replica.state import ACCOUNT, KEY_ID, REGION, SECRET, ECRState
from support.vendor_hosts import host_of
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl


def ecr_settings(
    folder: Path,
    ecr: ECRState,
    database_url: str,
    *,
    more: Mapping[str, object] | None = None,
) -> Settings:
    """One registry, `cloud`, of the kind ecr, by way of a file. A key of `more` that is
    None is left out."""
    registry: dict[str, object] = {
        "name": "cloud",
        "kind": "ecr",
        "url": ecr.registry_url,
        "api_url": ecr.api_url,
        "account": ACCOUNT,
        "region": REGION,
        "auth": {"username": KEY_ID, "password": SECRET},
        "trusted_storage_hosts": [host_of(ecr.storage_url)],
        "limits": {"requests_per_second": None},
        **(more or {}),
    }
    given = {key: value for key, value in registry.items() if value is not None}
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [given]}), encoding="utf-8")
    return load_settings(str(path), {}, KINDS, database_url=database_url)


def crawl_ecr(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["cloud"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done
