"""Amazon's public registry, crawled by `kind: distribution` as nobody."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.ecr_replica.public import PublicECR, public_ecr
from support.platform_content import platform_content
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl

NAME = "docker/library/app"


@pytest.fixture
def public() -> Iterator[PublicECR]:
    with public_ecr(platform_content(NAME, tags=3, tags_per_image=1)) as served:
        yield served


def crawled(folder: Path, public: PublicECR, **keys: object) -> RegistryCrawl:
    registry = {"name": "public", "kind": "distribution", "url": public.url, **keys}
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [registry]}))
    url = f"sqlite:///{folder / 'weighbridge.db'}"
    settings = load_settings(str(path), {}, KINDS, database_url=url)
    (done,) = crawl(settings, [], measure=True, progress=Progress()).registries
    return done


def test_repositories_that_are_named_are_read_with_the_token_of_anybody(
    public: PublicECR, tmp_path: Path
) -> None:
    done = crawled(tmp_path, public, repositories={"include": [NAME]})

    assert (done.state, done.tags, done.faults) == ("ok", 3, ())
    assert public.counts["token"] <= 2
    assert "refused" not in public.counts


def test_without_names_it_is_said_that_they_are_to_be_named(
    public: PublicECR, tmp_path: Path
) -> None:
    done = crawled(tmp_path, public)

    assert done.state != "ok"
    (fault,) = done.faults
    assert "repositories.include" in (fault.hint or "")
