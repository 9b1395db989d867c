"""The registries that are asked, each a strict replica with one repository of a
thousand tags, and what is promised of each."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

from support.ecr_replica.configured import ecr_settings
from support.ecr_replica.serving import ecr_replica
from support.ecr_replica.state import an_ecr
from support.ghcr_replica.configured import ghcr_replica, ghcr_settings
from support.ghcr_replica.packages import Packages
from support.ghcr_replica.state import GitHub
from support.gitlab_replica.serving import gitlab_replica, gitlab_settings
from support.gitlab_replica.state import a_gitlab
from support.google_replica.serving import google_replica, google_settings
from support.google_replica.state import Google
from support.harbor_replica.configured import harbor_settings
from support.harbor_replica.serving import harbor_replica
from support.harbor_replica.state import PUSHED_AT, a_harbor
from support.platform_content import MANIFESTS_PER_INDEX, platform_content
from support.quay_replica.configured import quay_settings
from support.quay_replica.serving import quay_replica
from support.quay_replica.state import STARTED_AT, a_quay
from support.replica.changes import ChangingContent
from support.vendor_hosts import Reply, Request, vendor_host
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.server import answer

TAGS: Final = 1_000
MOVED: Final = TAGS // 100
NAME: Final = "acme/shop/api"
LATER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """A replica that is served. rebuild: let a hundredth of the tags move, each to an
    index that is new; violations: what no client of the real one may ask"""

    settings: Settings
    rebuild: Callable[[], None]
    violations: list[str]


Serve: TypeAlias = Callable[[Path, str], AbstractContextManager[Scene]]
"""Of a folder for its configuration, and the database's URL."""


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of registry, or one of several ways to list its tags.

    limit: the most requests that list the tags where none has changed; None: nothing
           is promised
    pulls: how many pulls the vendor counts a request as; None: it counts none
    is_batched: manifests that are asked for in the same moment are one request
    """

    name: str
    serve: Serve
    limit: int | None
    pulls: Callable[[Request], int] | None
    is_batched: bool = False


def content(*, is_rebuilt: bool = False) -> RegistryContent:
    """Each tag an index of its own, of two platforms with attestations."""
    return platform_content(NAME, TAGS, 1, is_rebuilt=is_rebuilt)


def rebuilt() -> ChangingContent:
    return ChangingContent(content(is_rebuilt=True))


@contextmanager
def _distribution(folder: Path, database_url: str) -> Iterator[Scene]:
    held, violations = [content()], list[str]()

    def registry(asked: Request) -> Reply:
        made = answer(held[-1], asked.method, asked.target, asked.headers)
        if made.status == 404:
            violations.append(f"{asked.method} {asked.target}")
        if made.blob is None or asked.method == "HEAD":
            return Reply(made.status, made.headers, made.body, made.content_length)
        return Reply(made.status, made.headers, made.blob.read(made.first, made.last))

    with vendor_host(registry) as url:
        entry = {"name": "plain", "kind": "distribution", "url": url}
        path = folder / "weighbridge.yaml"
        path.write_text(json.dumps({"registries": [entry]}), encoding="utf-8")
        settings = load_settings(str(path), {}, KINDS, database_url=database_url)
        yield Scene(settings, lambda: held.append(content(is_rebuilt=True)), violations)


@contextmanager
def _harbor(folder: Path, database_url: str) -> Iterator[Scene]:
    with harbor_replica(a_harbor(content())) as harbor:
        yield Scene(
            harbor_settings(folder, harbor, database_url),
            lambda: harbor.rebuild(content(is_rebuilt=True), PUSHED_AT + LATER),
            harbor.violations,
        )


@contextmanager
def _ecr(folder: Path, database_url: str) -> Iterator[Scene]:
    with ecr_replica(an_ecr(ChangingContent(content()))) as ecr:
        yield Scene(
            ecr_settings(folder, ecr, database_url),
            lambda: setattr(ecr, "content", rebuilt()),
            ecr.violations,
        )


@contextmanager
def _ghcr(folder: Path, database_url: str) -> Iterator[Scene]:
    with ghcr_replica(GitHub(Packages(ChangingContent(content())))) as github:
        yield Scene(
            ghcr_settings(folder, github, database_url, organizations=["acme"]),
            lambda: github.packages.replace(rebuilt(), NAME),
            github.violations,
        )


def _gitlab(*, has_database: bool = True, has_graph: bool = True) -> Serve:
    @contextmanager
    def serve(folder: Path, database_url: str) -> Iterator[Scene]:
        with gitlab_replica(a_gitlab(content())) as lab:
            lab.has_database, lab.has_graph = has_database, has_graph
            yield Scene(
                gitlab_settings(folder, lab, database_url, groups=["acme"]),
                lambda: setattr(lab, "content", rebuilt()),
                lab.violations,
            )

    return serve


@contextmanager
def _quay(folder: Path, database_url: str) -> Iterator[Scene]:
    with quay_replica(a_quay(content())) as quay:
        quay.private = frozenset({"acme"})

        def rebuild() -> None:
            quay.content = rebuilt()
            at = STARTED_AT + LATER
            moved = range(0, TAGS, TAGS // MOVED)
            quay.moved_at = {(NAME, f"t{n:04d}"): at for n in moved}

        yield Scene(
            quay_settings(
                folder, quay, database_url, namespaces=["acme"], has_token=True
            ),
            rebuild,
            quay.violations,
        )


def _google(*, has_api: bool) -> Serve:
    @contextmanager
    def serve(folder: Path, database_url: str) -> Iterator[Scene]:
        with google_replica(Google(content())) as google:
            yield Scene(
                google_settings(folder, google, database_url, has_api=has_api),
                lambda: setattr(google, "content", content(is_rebuilt=True)),
                google.violations,
            )

    return serve


def _is_of_manifest(asked: Request) -> bool:
    return asked.target.startswith("/v2/") and "/manifests/" in asked.target


def gets(asked: Request) -> int:
    """GET of a manifest."""
    return int(asked.method == "GET" and _is_of_manifest(asked))


def signed_gets(asked: Request) -> int:
    """The same; one without a token is refused, and is none."""
    return gets(asked) if asked.authorization else 0


def signed_gets_and_heads(asked: Request) -> int:
    return int(bool(asked.authorization) and _is_of_manifest(asked))


def images_of_a_batch(asked: Request) -> int:
    """BatchGetImage moves the pull time of each of its images."""
    if not asked.headers.get("x-amz-target", "").endswith(".BatchGetImage"):
        return signed_gets(asked)
    return len(json.loads(asked.body)["imageIds"])


PAGES: Final = TAGS // 100
WAYS: Final = (
    Way("Harbor", _harbor, PAGES, signed_gets),
    Way("Amazon ECR", _ecr, 1, images_of_a_batch, is_batched=True),
    Way("GitHub", _ghcr, PAGES * MANIFESTS_PER_INDEX, signed_gets),
    Way("GitLab, the registry's list", _gitlab(), PAGES, None),
    Way("GitLab, GraphQL", _gitlab(has_database=False), TAGS // 20, None),
    Way("GitLab, REST", _gitlab(has_database=False, has_graph=False), None, None),
    Way("Quay", _quay, PAGES, signed_gets_and_heads),
    Way("Google, searched by the API", _google(has_api=True), 1, None),
    Way("Google, searched by `/v2`", _google(has_api=False), 1, None),
    Way("plain `/v2`", _distribution, None, gets),
)
