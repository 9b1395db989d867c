"""Bases, and images that stand on them: the rows that finding them leaves."""

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, insert, select, text

from support.images import a_digest, a_layer, an_image
from support.store_world import World
from weighbridge.domain.base.names import BaseName, choose_names
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_base import FoundBy, Relation
from weighbridge.store.dialect import BulkInsert
from weighbridge.store.models import (
    base_chains,
    base_names,
    base_readings,
    blobs,
    image_bases,
    images,
    platforms,
)
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Database

_CRAWLED: Final = BulkInsert(
    base_readings, "host", "repository", "registry", "tags_read", "code", "reason"
)


@dataclass
class KnownBases:
    """What is known of bases in a database."""

    database: Database
    now: datetime
    ids: dict[str, int] = field(default_factory=dict)

    def base(
        self,
        build: str,
        *tags: str,
        compressed_bytes: int = 1000,
        layers: int = 1,
        host: str = "docker.io",
        left_at: Mapping[str, datetime] | None = None,
        platform: str | None = "linux/amd64",
        is_crawled: bool = True,
    ) -> int:
        """A build that these tags (`library/debian:stretch`) lead to, or led to until
        they left; returns the id of its chain."""
        with self.database.write() as connection:
            chain = connection.execute(
                insert(base_chains).values(
                    chain=hashlib.sha256(build.encode()).digest(),
                    history=b"",
                    line_count=0,
                    layer_count=layers,
                    platform_id=_platform(connection, platform),
                    compressed_bytes=compressed_bytes,
                    is_swept=True,
                    first_seen_at=self.now,
                    last_seen_at=self.now,
                )
            ).inserted_primary_key
            assert chain is not None
            for tag in tags:
                repository, _, name = tag.rpartition(":")
                connection.execute(
                    insert(base_names).values(
                        base_chain_id=chain[0],
                        host=host,
                        repository=repository,
                        tag=name,
                        digest=a_digest((build, tag)),
                        first_seen_at=self.now,
                        last_seen_at=self.now,
                        left_at=(left_at or {}).get(tag),
                    )
                )
                if is_crawled:
                    _CRAWLED.add(connection, [(host, repository, "hub", 0, "", "")])
        self.ids[build] = chain[0]
        return int(chain[0])

    def stands_on(
        self,
        image: Digest,
        build: str | None,
        *,
        relation: Relation = "base",
        found_by: FoundBy = "layers",
        reference: str | None = None,
    ) -> None:
        """What an image was found to stand on. build: None: only its annotation says"""
        with self.database.write() as connection:
            chosen = select(blobs.c.id).where(blobs.c.digest == image)
            connection.execute(
                insert(image_bases).values(
                    image_id=connection.execute(chosen).scalar_one(),
                    base_chain_id=None if build is None else self.ids[build],
                    relation=relation,
                    found_by=found_by,
                    reference=reference,
                )
            )


def _platform(connection: Connection, name: str | None) -> int | None:
    if name is None:
        return None
    found = connection.execute(
        select(platforms.c.id).where(platforms.c.text == name)
    ).scalar()
    if found is not None:
        return int(found)
    system, architecture, variant = (*name.split("/"), "")[:3]
    made = connection.execute(
        insert(platforms).values(
            text=name,
            os=system,
            architecture=architecture,
            variant=variant,
            os_version="",
        )
    ).inserted_primary_key
    assert made is not None
    return int(made[0])


def a_fleet_on_bases(database: Database) -> KnownBases:
    """Five repositories, and what stands on their bases counted. shop/api stands on the
    python:3.7 of now, with its old tag and shop/cart on the one before; shop/web on an
    alpine whose tag is gone; shop/mailer says that it stands on something that nobody
    crawls; shop/raw stands on nothing."""
    worlds = {
        name: World(database, repository=f"shop/{name}")
        for name in ("api", "cart", "web", "mailer", "raw")
    }
    now = worlds["api"].now
    known = KnownBases(database, now)
    python, alpine = "library/python:3.7", "library/alpine:3.9"
    left_at = now + timedelta(days=2)
    known.base(
        "old python",
        python,
        "library/python:3.7.9",
        compressed_bytes=300_000_000,
        layers=2,
        left_at={python: left_at},
    )
    known.base("python", python, compressed_bytes=320_000_000, layers=2)
    known.base("alpine", alpine, compressed_bytes=4_000_000, left_at={alpine: left_at})
    for name, tag, build, own_bytes in (
        ("api", "1.0", "old python", 500_000_000),
        ("api", "1.1", "python", 600_000_000),
        ("cart", "6.3.0", "old python", 100_000_000),
        ("web", "2", "alpine", 8_000_000),
        ("mailer", "4", None, 50_000_000),
        ("raw", "1", "", 7_000_000),
    ):
        size = {"old python": 300_000_000, "python": 320_000_000, "alpine": 4_000_000}
        base = [a_layer(build, size[build])] if build else []
        image = an_image(layers=[*base, a_layer((name, tag), own_bytes)])
        worlds[name].crawl({tag: image} | ({"latest": image} if tag == "1.1" else {}))
        if build != "":
            said = None if build else "registry.example/base/cuda:12.8"
            known.stands_on(image.digest, build, reference=said)
    refresh_base_summaries(database, worlds["api"].now)
    return known


_PLATFORMS: Final = ("linux/amd64", "linux/arm64", "windows/amd64")


def random_bases(database: Database, rnd: random.Random, now: datetime) -> KnownBases:
    """Some bases of several builds, of which tags have moved on and were deleted."""
    known = KnownBases(database, now)
    for n in range(rnd.randrange(1, 9)):
        tags = {f"library/b{rnd.randrange(3)}:{rnd.randrange(3)}" for _ in range(2)}
        known.base(
            f"build {n}",
            *sorted(tags),
            compressed_bytes=rnd.choice([0, 1, 32, 10**6, 2**62]),
            left_at={
                tag: now + timedelta(days=rnd.randrange(1, 9))
                for tag in tags
                if rnd.random() < 0.5
            },
            platform=rnd.choice([*_PLATFORMS, None]),
        )
    return known


def stand_somewhere(known: KnownBases, rnd: random.Random) -> None:
    """Let every image that was not looked at yet stand on something, or on nothing."""
    with known.database.read() as connection:
        wanted = (
            connection.execute(
                select(blobs.c.digest)
                .join(images, images.c.id == blobs.c.id)
                .where(images.c.id.not_in(select(image_bases.c.image_id)))
                .order_by(blobs.c.digest)
            )
            .scalars()
            .all()
        )
    for image in wanted:
        chance = rnd.random()
        build = rnd.choice(sorted(known.ids)) if chance < 0.7 else None
        known.stands_on(
            image,
            build,
            relation=rnd.choice(("base", "base", "relative")) if build else "base",
            reference=rnd.choice(
                ("debian:9", "docker.io/library/debian:9", "?!", None)
            ),
        )


def counted_bases(database: Database, now: datetime) -> dict[str, dict[str, object]]:
    """What `base_summaries` is to hold, counted one by one from the other tables."""
    with database.read() as connection:
        return _Recount(connection, now).summaries()


class _Recount:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def _all(self, query: str) -> list[Any]:
        return list(self._connection.execute(text(query)).mappings())

    def summaries(self) -> dict[str, dict[str, object]]:
        names = self._names()
        on: dict[str, list[Any]] = defaultdict(list)
        claimed: dict[str, set[int]] = defaultdict(set)
        for row in self._rows():
            if row["base_chain_id"] is not None and row["relation"] == 0:
                if row["base_chain_id"] in names:
                    on[names[row["base_chain_id"]].reference].append(row)
            elif row["base_chain_id"] is None and row["reference"] is not None:
                said = row["reference"]
                if said == "?!":
                    claimed[said].add(row["image_id"])
                else:
                    claimed["library/debian:9"].add(row["image_id"])
        return {
            name: self._summary(on[name], names, len(claimed[name]))
            for name in {*on, *claimed}
        }

    def _rows(self) -> list[Any]:
        """A row for each image of each repository that has one now."""
        return self._all(
            "SELECT i.image_id, i.base_chain_id, i.relation, i.reference,"
            " m.repository_id, r.scope_id, x.compressed_bytes AS claimed_bytes,"
            " s.newest_image_id, c.compressed_bytes AS chain_bytes,"
            " g.address AS address, z.name AS scope_name"
            " FROM image_bases i JOIN repository_manifests m"
            " ON m.manifest_id = i.image_id JOIN repositories r"
            " ON r.id = m.repository_id JOIN images x ON x.id = i.image_id"
            " LEFT JOIN repository_summaries s ON s.repository_id = r.id"
            " LEFT JOIN base_chains c ON c.id = i.base_chain_id"
            " JOIN storage_scopes z ON z.id = r.scope_id"
            " JOIN registries g ON g.id = z.registry_id"
        )

    def _names(self) -> dict[int, BaseName]:
        found: dict[int, list[BaseName]] = defaultdict(list)
        for row in self._connection.execute(select(base_names)):
            found[row.base_chain_id].append(
                BaseName(
                    row.host, row.repository, row.tag, row.first_seen_at, row.left_at
                )
            )
        chosen = {}
        for chain, names in found.items():
            best = choose_names(names, self._now)
            assert best is not None
            chosen[chain] = next(n for n in names if n.reference == best[0])
        return chosen

    def _led_to(self, name: str) -> set[str | None]:
        """What the builds run on to which a name leads now."""
        rows = self._all(
            "SELECT n.host, n.repository, n.tag, p.os, p.architecture, p.variant"
            " FROM base_names n JOIN base_chains c ON c.id = n.base_chain_id"
            " LEFT JOIN platforms p ON p.id = c.platform_id WHERE n.left_at IS NULL"
        )
        return {
            _host(row) for row in rows if f"{row['repository']}:{row['tag']}" == name
        }

    def _summary(
        self, rows: Iterable[Any], names: Mapping[int, BaseName], claimed: int
    ) -> dict[str, object]:
        rows = list(rows)
        if not rows:
            return {"state": "unknown", "images": 0, "claimed": claimed}
        images_on_it = {row["image_id"]: row for row in rows}
        runs_on = {
            row["id"]: _host(row)
            for row in self._all(
                "SELECT c.id, p.os, p.architecture, p.variant FROM base_chains c"
                " LEFT JOIN platforms p ON p.id = c.platform_id"
            )
        }
        chains = {row["base_chain_id"] for row in rows}
        state = {}
        for chain in chains:
            name = names[chain]
            if name.left_at is None:
                state[chain] = "current"
            elif runs_on[chain] in self._led_to(name.reference):
                state[chain] = "outdated"
            else:
                state[chain] = "deleted"
        old = {chain for chain, each in state.items() if each == "outdated"}
        newest = {
            (row["repository_id"], row["base_chain_id"])
            for row in rows
            if row["newest_image_id"] == row["image_id"]
        }
        own = sum(
            max(0, row["claimed_bytes"] - row["chain_bytes"])
            for row in images_on_it.values()
        )
        weighed = sum(row["claimed_bytes"] for row in images_on_it.values())
        sizes = {row["base_chain_id"]: row["chain_bytes"] for row in rows}
        places = {(r["base_chain_id"], r["address"], r["scope_name"]) for r in rows}
        return {
            "state": next(
                s for s in ("outdated", "current", "deleted") if s in state.values()
            ),
            "outdated_since": min(
                (at for chain in old if (at := names[chain].left_at)), default=None
            ),
            "images": len(images_on_it),
            "outdated": sum(r["base_chain_id"] in old for r in images_on_it.values()),
            "claimed": claimed,
            "repositories": len({row["repository_id"] for row in rows}),
            "newest": len(newest),
            "outdated_newest": sum(chain in old for _, chain in newest),
            "builds": len(chains),
            "weighed_bytes": _bounded(weighed),
            "base_bytes": _bounded(weighed - own),
            "own_bytes": _bounded(own),
            "stored_bytes": _bounded(sum(sizes[chain] for chain, _, _ in places)),
        }


def stored_bases(database: Database) -> dict[str, dict[str, object]]:
    """What `base_summaries` holds, in the same words."""
    from weighbridge.store.models import base_summaries

    with database.read() as connection:
        rows = connection.execute(select(base_summaries)).all()
    found: dict[str, dict[str, object]] = {}
    for row in rows:
        if row.build_count is None:
            assert row.state == "unknown"
            assert row.builds == "[]"
            assert row.base_bytes is row.own_bytes is row.stored_bytes is None
            assert row.weighed_bytes == row.repository_count == row.newest_count == 0
            found[row.reference] = {
                "state": "unknown",
                "images": row.image_count,
                "claimed": row.claimed_count,
            }
            continue
        assert len(json.loads(row.builds)) == row.build_count
        found[row.reference] = {
            "state": row.state,
            "outdated_since": row.outdated_since,
            "images": row.image_count,
            "outdated": row.outdated_image_count,
            "claimed": row.claimed_count,
            "repositories": row.repository_count,
            "newest": row.newest_count,
            "outdated_newest": row.outdated_newest_count,
            "builds": row.build_count,
            "weighed_bytes": row.weighed_bytes,
            "base_bytes": row.base_bytes,
            "own_bytes": row.own_bytes,
            "stored_bytes": row.stored_bytes,
        }
    return found


def _host(row: Any) -> str | None:
    return None if row["os"] is None else "/".join(row[k] for k in _PARTS)


_PARTS: Final = ("os", "architecture", "variant")


def _bounded(number: int) -> int:
    return min(number, 2**63 - 1)
