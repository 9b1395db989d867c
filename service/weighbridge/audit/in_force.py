"""What is in force for the tags of one repository: policies, and waivers of them."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from weighbridge.domain.policy import LimitKey
from weighbridge.domain.policy_set import PolicySet
from weighbridge.domain.waiver import ActiveWaivers
from weighbridge.store.judged_repository import JudgedRepository
from weighbridge.store.session import Connection
from weighbridge.store.waivers import active_waivers


@dataclass
class InForce:
    """Waivers are read where they are asked for. tag: "" or None for what is of the
    repository."""

    connection: Connection
    repository: JudgedRepository
    policies: PolicySet
    now: datetime

    def policy_of(self, tag: str | None, limit_key: LimitKey) -> str | None:
        """The name of the policy that sets a limit for a tag; None: there is none."""
        decided = self.policies.explain(
            self.repository.registry, self.repository.name, tag or ""
        )
        for one in decided:
            if one.key == limit_key and one.policy and one.value is not None:
                return one.policy.name
        return None

    def is_waived(self, tag: str | None, limit_key: LimitKey) -> bool:
        """Whether somebody has accepted that a tag exceeds this limit."""
        repository = self.repository
        waiver = self._waivers.find(
            repository.registry, repository.name, tag or "", limit_key, self.now
        )
        return waiver is not None

    @cached_property
    def _waivers(self) -> ActiveWaivers:
        return active_waivers(self.connection, self.now)
