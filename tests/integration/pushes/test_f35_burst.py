"""F35, a small one: tests/load/test_burst_of_pushes.py has it in earnest."""

from pathlib import Path

import pytest

from support.push_burst import BEFORE, check_burst
from weighbridge.store.pushes.inbox import CHECKS_IN_A_BURST


@pytest.mark.long
def test_f35_a_small_burst_ends_with_what_the_registry_has(tmp_path: Path) -> None:
    check_burst(
        tmp_path,
        repositories=5,
        a_second=400,
        seconds=2,
        looks=CHECKS_IN_A_BURST,
        digest_of=lambda _: str(BEFORE.digest),
    )
