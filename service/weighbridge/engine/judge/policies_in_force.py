"""What is in force for the tags of one repository: policies, and waivers of them."""

from weighbridge.domain.policy.policy import LimitKey
from weighbridge.engine.judge.judged_batch import JudgedBatch
from weighbridge.store.violations.judged_repository import JudgedRepository


class InForce:
    """tag: "" or None for what is of the repository."""

    def __init__(self, batch: JudgedBatch, repository: JudgedRepository) -> None:
        self._batch = batch
        self._repository = repository

    def policy_of(self, tag: str | None, limit_key: LimitKey) -> str | None:
        """The name of the policy that sets a limit for a tag; None: there is none."""
        decided = self._batch.judging.policies.explain(
            self._repository.registry, self._repository.name, tag or ""
        )
        for one in decided:
            if one.key == limit_key and one.policy and one.value is not None:
                return one.policy.name
        return None

    def is_waived(self, tag: str | None, limit_key: LimitKey) -> bool:
        """Whether somebody has accepted that a tag exceeds this limit."""
        repository = self._repository
        waiver = self._batch.waivers.find(
            repository.registry, repository.name, tag or "", limit_key, self._batch.now
        )
        return waiver is not None
