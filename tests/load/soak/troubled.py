"""Rounds of trouble: a first crawl and pushes in which everything is killed or stands
still now and then, then peace, and what must be true in the end."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, or_, select

from load.soak.compare import wrong
from load.soak.faults import WEIGHTS, Faults
from load.soak.pushing import Pushing
from load.soak.site import Site, a_site
from support.replica.fleet import Fleet
from support.replica.process import fleet_replica
from weighbridge.errors import StoreError
from weighbridge.store.models import (
    blob_changes,
    pushes,
    registries,
    repositories,
    repository_summaries,
    unjudged,
)

ROUND_S: Final = 180.0
FLEET: Final = Fleet(repositories=60, tags=3_000, largest=800)
PUSHES_A_MINUTE: Final = 60
PATIENCE_S: Final = 900.0
_REQUESTS_A_TAG: Final = 4
"""With what measuring asks: a first crawl takes about as long as the trouble."""
_INTERVAL: Final = "3m"
"""What is parked because it was killed with its process three times comes again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a round; `wrong` is empty where all is well."""

    seed: int
    faults: Mapping[str, int]
    restarts: Mapping[str, int]
    pushed: int
    caught_up_s: float
    wrong: tuple[str, ...]


def a_round(
    folder: Path,
    seed: int,
    seconds: float,
    tell: Callable[[str], None],
    *,
    fleet: Fleet = FLEET,
    weights: Mapping[str, int] = WEIGHTS,
    interval: str = _INTERVAL,
) -> Ended:
    """One first crawl with so many seconds of trouble in it.

    weights:  how often which fault comes
    interval: of the registry; what is left undone is done in the next one
    """
    rate = max(10.0, _REQUESTS_A_TAG * fleet.tags / seconds)
    settings = {"interval": interval, "limits": {"requests_per_second": rate}}
    chance = random.Random(seed)  # noqa: S311 - a die, no secret
    with (
        fleet_replica(fleet) as replica,
        a_site(folder, replica, settings) as site,
    ):
        pushing = Pushing(replica, fleet, [site.address], PUSHES_A_MINUTE, chance)
        again = random.Random(seed)  # noqa: S311 - a die, no secret
        faults = Faults(site, again, tell, weights)
        site.start(has_clocks=True)
        pushing.start()
        faults.until(time.monotonic() + seconds)
        pushing.stop()
        tell(f"peace after {sum(faults.made.values())} faults")
        began = time.monotonic()
        left = _wait(site, fleet.repositories, tell)
        caught_up_s = time.monotonic() - began
        found = left or wrong(site.database_url, _clean_crawl(folder, site))
        return Ended(
            seed,
            faults.made,
            dict(site.restarts),
            pushing.moved,
            caught_up_s,
            tuple(found),
        )


def _wait(site: Site, count: int, tell: Callable[[str], None]) -> list[str]:
    """What is still to do at the end of all patience."""
    ends_at, before = time.monotonic() + PATIENCE_S, [""]
    while True:
        try:
            with site.database.read() as connection:
                left = _left(connection, count)
        except StoreError as exc:
            left = [exc.code]
        if not left or time.monotonic() > ends_at:
            return left
        if left != before:
            tell(f"still to do: {', '.join(left)}")
        before = left
        time.sleep(1.0)


def _left(connection: Connection, count: int) -> list[str]:
    seen = select(func.count()).where(
        repositories.c.state == "ok", repositories.c.complete_crawls > 0
    )
    if connection.execute(seen).scalar_one() < count:
        return ["repositories"]
    questions = {
        "registry": select(registries.c.id).where(
            or_(
                registries.c.state != "ok",
                registries.c.last_complete_discovery_at.is_(None),
            )
        ),
        "pushes": select(pushes.c.id).where(pushes.c.done_at.is_(None)),
        "unmeasured": select(repository_summaries.c.repository_id).where(
            repository_summaries.c.is_unmeasured
        ),
        "unsettled": select(blob_changes.c.id),
        "unjudged": select(unjudged.c.tag_id).where(~unjudged.c.is_weighed),
    }
    return [
        what
        for what, question in questions.items()
        if connection.execute(question.limit(1)).first() is not None
    ]


def _clean_crawl(folder: Path, site: Site) -> str:
    """The database of one process that sees the same registry now, without limits."""
    url = f"sqlite:///{folder / 'clean.db'}"
    config = site.alone("clean", database_url=url)
    command = [sys.executable, "-m", "weighbridge", "crawl", "--config", str(config)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return url
