"""F35 with a real registry behind it: a burst of webhooks, and the looks it leads to.

`test_webhook_load.py` has a burst without a registry, to measure the taking alone. Run
it with `-rP` to see the figures.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.push_burst import BEFORE, check_burst
from support.webhook_load import made_up
from weighbridge.engine.push.push_plan import EARLY_S
from weighbridge.store.pushes.inbox import CHECKS_IN_A_BURST


@pytest.mark.timeout(170)
@pytest.mark.parametrize(
    ("digest_of", "looks"),
    [
        pytest.param(
            lambda _: str(BEFORE.digest), CHECKS_IN_A_BURST, id="true digests"
        ),
        pytest.param(made_up, CHECKS_IN_A_BURST * (1 + len(EARLY_S)), id="made up"),
    ],
)
def test_f35_a_burst_ends_with_what_the_registry_has(
    tmp_path: Path, digest_of: Callable[[int], str], looks: int
) -> None:
    check_burst(
        tmp_path,
        repositories=50,
        a_second=2_000,
        seconds=5,
        looks=looks,
        digest_of=digest_of,
    )
