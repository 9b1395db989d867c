"""Amazon's public registry, crawled by `kind: distribution` as nobody, and by
`kind: ecr` as somebody who has repositories there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from support.ecr_replica.public import PublicECR, owned_public_ecr, public_ecr
from support.ecr_replica.public_api import ALIAS, REGION
from support.ecr_replica.state import KEY_ID, SECRET, ECRState
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.replica.changes import ChangingContent
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.config.kinds import given, made
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.registry.kinds.ecr.ecr_kind import ECRPlace, ECRSettings

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


class NearPublic(ECRSettings):
    """An entry of public.ecr.aws whose hosts are on loopback."""

    @property
    def place(self) -> ECRPlace:
        return replace(super().place, is_public=True)


OWN = f"{ALIAS}/app"
TAGS = 1_000


@pytest.fixture
def owned() -> Iterator[tuple[PublicECR, ECRState]]:
    with owned_public_ecr(platform_content(OWN, tags=3, tags_per_image=1)) as both:
        yield both


def crawled_as_owner(
    folder: Path, public: PublicECR, owner: ECRState, **keys: object
) -> RegistryCrawl:
    entry = {
        "name": "public",
        "kind": "ecr",
        "url": public.url,
        "api_url": owner.api_url,
        "region": REGION,
        "auth": {"username": KEY_ID, "password": SECRET},
        "limits": {"requests_per_second": None},
        **keys,
    }
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [entry]}))
    url = f"sqlite:///{folder / 'weighbridge.db'}"
    settings = load_settings(str(path), {}, KINDS, database_url=url)
    near = tuple(made(NearPublic, given(one)) for one in settings.registries)
    settings = settings.model_copy(update={"registries": near})
    (done,) = crawl(settings, [], measure=True, progress=Progress()).registries
    return done


def test_a_thousand_tags_of_ones_own_cold_unchanged_and_a_hundredth_changed(
    tmp_path: Path,
) -> None:
    """The table of requests in docs/registries.md is of this test."""
    content = platform_content(OWN, TAGS, 10)
    with owned_public_ecr(content) as (public, owner):

        def crawl_once() -> dict[str, int]:
            done = crawled_as_owner(tmp_path, public, owner)
            counts = dict(public.counts) | owner.take_counts()
            public.counts.clear()
            assert (done.state, done.tags) == ("ok", TAGS)
            return counts

        cold, unchanged = crawl_once(), crawl_once()
        rebuilt = platform_content(OWN, TAGS, 10, is_rebuilt=True)
        public.content, owner.content = rebuilt, ChangingContent(rebuilt)
        changed = crawl_once()

    print(f"\nfirst {cold}\nunchanged {unchanged}\nmoved {changed}")
    assert unchanged == {"DescribeRepositories": 1, "DescribeImages": 1}
    for asked, indexes in (cold, TAGS // 10), (changed, TAGS // 100):
        assert asked["DescribeRepositories"] == asked["DescribeImages"] == 1
        assert asked["get_manifest"] == MANIFESTS_PER_INDEX * indexes
        assert asked["GetAuthorizationToken"] == 1
        assert asked["owners_token"] == asked["token"]
        assert not {"tags", "catalog", "head_manifest"} & asked.keys()


def test_what_is_named_and_somebody_elses_is_listed_by_the_registry(
    tmp_path: Path,
) -> None:
    with owned_public_ecr(platform_content(NAME, tags=3, tags_per_image=1)) as both:
        done = crawled_as_owner(tmp_path, *both, repositories={"include": [NAME]})

        assert (done.state, done.tags, done.faults) == ("ok", 3, ())
        assert "DescribeImages" not in both[1].counts


def test_without_the_right_to_list_names_are_asked_for_and_those_named_are_read(
    owned: tuple[PublicECR, ECRState], tmp_path: Path
) -> None:
    public, owner = owned
    owner.denied |= {"DescribeRepositories", "GetAuthorizationToken"}

    refused = crawled_as_owner(tmp_path, public, owner)
    named = crawled_as_owner(tmp_path, public, owner, repositories={"include": [OWN]})

    (fault,) = refused.faults
    assert "ecr-public:DescribeRepositories" in (fault.hint or "")
    assert "repositories.include" in (fault.hint or "")
    assert (named.state, named.tags, named.faults) == ("ok", 3, ())
    assert public.counts["owners_token"] == 0


def test_a_repository_whose_images_may_not_be_listed_is_read_from_the_registry(
    owned: tuple[PublicECR, ECRState], tmp_path: Path
) -> None:
    public, owner = owned
    owner.denied.add("DescribeImages")

    done = crawled_as_owner(tmp_path, public, owner)

    assert (done.state, done.tags, done.faults) == ("ok", 3, ())


def test_pages_of_the_api_are_read_to_their_end_and_no_secret_is_kept(
    owned: tuple[PublicECR, ECRState], tmp_path: Path
) -> None:
    public, owner = owned
    owner.most_results = 2

    done = crawled_as_owner(tmp_path, public, owner)

    assert (done.state, done.tags) == ("ok", 3)
    assert owner.counts["DescribeImages"] > 1
    kept = (tmp_path / "weighbridge.db").read_bytes()
    assert not any(text.encode() in kept for text in (SECRET, *owner.passwords))
