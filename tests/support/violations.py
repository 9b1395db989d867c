"""Violations and waivers for tests, kept as judging keeps them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypedDict, Unpack

from msgspec.structs import replace

from support.images import a_digest
from support.store_world import T0
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.policy.waiver import NewWaiver, Waiver
from weighbridge.store.session import Database
from weighbridge.store.violations.violation_rows import (
    Offence,
    ViolationKey,
    close_violations,
    open_violation,
)
from weighbridge.store.violations.waivers import put_waiver

KEY: Final = ViolationKey("#.#", "linux/amd64", "services", "max_compressed")
TORCH: Final = Cause(
    of="own",
    key=b"k" * 32,
    changes=(
        LineChange(
            kind="added",
            instruction="RUN pip install --no-cache-dir torch==1.13.1",
            before_amount=None,
            amount=612_408_377,
            grown_amount=612_408_377,
        ),
    ),
    grown_amount=612_433_429,
)
HEAVY: Final = Offence(
    team="shop",
    severity="warning",
    limit_amount=500_000_000,
    amount=1_082_700_595,
    tag="1.5",
    digest=a_digest("1.5"),
    pushed_at=T0,
    before_compressed_bytes=470_267_166,
    cause=TORCH,
)


class Changes(TypedDict, total=False):
    """What is other than of `HEAVY`."""

    team: str | None
    severity: Severity
    limit_amount: int
    amount: int
    tag: str | None
    digest: Digest | None
    pushed_at: datetime | None
    baseline_compressed_bytes: int | None
    cause: Cause | None


@dataclass
class Violations:
    """Opens violations of one database; each is of another stream unless said."""

    database: Database
    now: datetime = T0
    _number: int = field(default=0)

    def open(
        self,
        repository_id: int,
        offence: Offence = HEAVY,
        *,
        policy: str = "services",
        limit_key: LimitKey = "max_compressed",
        platform: str = "linux/amd64",
        is_silent: bool = False,
        **changes: Unpack[Changes],
    ) -> int:
        self._number += 1
        key = ViolationKey(f"s{self._number}-#", platform, policy, limit_key)
        with self.database.write() as connection:
            return open_violation(
                connection,
                repository_id,
                key,
                replace(offence, **changes),
                self.now,
                is_silent=is_silent,
            )

    def close(self, *ids: int) -> None:
        with self.database.write() as connection:
            close_violations(connection, ids, "pushed", self.now)


def waived(
    database: Database,
    repository: str,
    now: datetime,
    *,
    registry: str = "hub",
    tag: str = "*",
    limit_key: LimitKey | None = None,
    days: int = 30,
    reason: str = "torch moves out in 1.6",
    author: str = "ops",
) -> Waiver:
    """Waive it from now on."""
    until = now + timedelta(days=days)
    new = NewWaiver(registry, repository, tag, limit_key, reason, author, until)
    with database.write() as connection:
        return put_waiver(connection, new, now)
