"""Which policy decides what for a repository, as the API tells it."""

from collections.abc import Iterable
from dataclasses import dataclass

from weighbridge.domain.policy.policy import Decided, PolicyKey


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """One key of policies for the newest image. Bytes and shares are numbers; null is
    no limit, and `policy` is null where no policy sets the key."""

    key: PolicyKey
    value: str | int | float | None
    policy: str | None


def policy_rows(decided: Iterable[Decided]) -> list[dict[str, object]]:
    """Every key. Where it is written is told on the command line only: who may read
    what images weigh need not know the files of this machine."""
    return [
        {
            "key": each.key,
            "value": each.value,
            "policy": None if each.policy is None else each.policy.name,
        }
        for each in decided
    ]
