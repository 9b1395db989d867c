"""Which repositories have a policy."""

from collections.abc import Iterator
from typing import Final

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.doctor.check import CheckResult, Installation
from weighbridge.presentation.forms.phrases import plural
from weighbridge.store.connection.deadlines import within
from weighbridge.store.reports.inventory import inventory_pieces

POLICIES: Final = "policies"


def look_at_policies(installation: Installation, _: str) -> Iterator[CheckResult]:
    """They were read already: of how many repositories none says anything."""
    settings, policies = installation.settings, installation.policies.policies
    known = bare = 0
    with (
        within(installation.timeout_s),
        checked_database(settings) as database,
        database.read() as connection,
    ):
        for piece in inventory_pieces(connection, ()):
            known += len(piece)
            bare += sum(
                not policies.has_any(row.registry, row.repository) for row in piece
            )
    counted = plural(len(policies.policies), "policy", "policies")
    of = plural(known, "repository", "repositories")
    if known and bare == known:
        yield CheckResult(
            POLICIES,
            "warning",
            f"{counted}, and none is about any of the {of} that are known",
            "weighbridge policy explain REF says what a policy matches",
        )
        return
    yield CheckResult(POLICIES, "ok", f"{counted}; {bare:,} of {of} without any")
