"""The kinds of registries that there are."""

import re
from typing import ClassVar

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Kinds, RegistrySettings
from weighbridge.config.kinds import DISTRIBUTION
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS


@pytest.mark.parametrize("name", REGISTRY_KINDS)
def test_a_host_means_one_kind_alone(name: str) -> None:
    hosts = REGISTRY_KINDS[name].settings.hosts

    assert {KINDS.kind_of("auto", f"https://{host}") for host in hosts} <= {name}
    # Where a host leads is known too, and leads nowhere else.
    assert all(hosts[main] == main for main in hosts.values())


def test_a_host_that_nobody_knows_has_nothing_besides_the_specification() -> None:
    assert KINDS.kind_of("auto", "https://registry.example") == DISTRIBUTION
    assert DISTRIBUTION in REGISTRY_KINDS


def test_a_vendor_may_have_a_host_for_each_customer() -> None:
    class WithPattern(RegistrySettings):
        host_pattern: ClassVar = re.compile(r"[0-9]{12}\.images\.example")

    kinds = Kinds({"distribution": RegistrySettings, "vendor": WithPattern}, {})

    assert kinds.kind_of("auto", "https://123456789012.images.example") == "vendor"
    assert kinds.kind_of("auto", "https://images.example") == "distribution"
    assert kinds.kind_of_host("12.images.example") is None
