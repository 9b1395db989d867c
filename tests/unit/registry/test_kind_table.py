"""The kinds that a configuration may name, and the clients that there are."""

from weighbridge.config.registries import kinds
from weighbridge.registry.kinds.kind_table import KINDS


def test_kinds_that_can_be_configured_are_those_with_a_client() -> None:
    assert set(kinds.KINDS) - {kinds.AUTO} == KINDS.keys()


def test_what_is_recognised_is_a_kind_with_a_client() -> None:
    for host in ("registry-1.docker.io", "registry.example"):
        assert kinds.resolved_kind(kinds.AUTO, host) in KINDS
