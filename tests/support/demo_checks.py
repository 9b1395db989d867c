"""Checks of the demo registry, without a socket: what the pages' examples show."""

from msgspec.structs import replace

from support.demo_weighing import demo_weighing
from weighbridge.cli.options.parameters import own_limits
from weighbridge.domain.check.image_check import ImageCheck, checked, rules_of
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.size.weighing import WeighingCost


def demo_check(
    name: str, cost: WeighingCost, against: str | None = None, **limits: float
) -> ImageCheck:
    """`weighbridge check 127.0.0.1:5080/NAME` with these limits, at this cost."""
    weighing = replace(demo_weighing(name), cost=cost)
    before = None if against is None else demo_weighing(against)
    rules = rules_of(PolicySet([own_limits(limits)]), weighing.registry, "", "")
    return checked(weighing, before, rules)
