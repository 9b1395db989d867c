"""A configuration that crawls the replica."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import astuple

from support.ecr_replica.state import ACCOUNT, KEY_ID, REGION, SECRET, ECRState
from support.vendor_hosts import host_of
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.registry.kinds.ecr.ecr_kind import ECRSettings


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


def parted_settings(
    folder: Path,
    replicas: Sequence[ECRState],
    database_url: str,
    *,
    more: Mapping[str, object] | None = None,
) -> Settings:
    """One entry, `cloud`, of all accounts and regions of the replicas. What the file
    leads to holds, but for the addresses: those of AWS are no loopback."""
    entry = {
        "name": "cloud",
        "kind": "ecr",
        "accounts": list(dict.fromkeys(each.account for each in replicas)),
        "regions": list(dict.fromkeys(each.region for each in replicas)),
        "auth": {"username": KEY_ID, "password": SECRET},
        "limits": {"requests_per_second": None},
        **(more or {}),
    }
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [entry]}), encoding="utf-8")
    settings = load_settings(str(path), {}, KINDS, database_url=database_url)
    by_place = {(each.account, each.region): each for each in replicas}
    near = []
    for part in settings.registries:
        assert isinstance(part, ECRSettings)
        account, region, *_ = astuple(part.place)
        ecr = by_place.pop((account, region))
        at = {
            "url": ecr.registry_url,
            "api_url": ecr.api_url,
            "trusted_storage_hosts": (host_of(ecr.storage_url),),
        }
        near.append(part.model_copy(update=at | {"account": account, "region": region}))
    assert not by_place
    return settings.model_copy(update={"registries": tuple(near)})


def crawl_ecr(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["cloud"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done
