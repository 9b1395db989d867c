"""Every number of every shipped rule, a little larger and a little smaller: a test
notices each time."""

from pathlib import Path

import pytest

from support.rule_mutants import Mutant
from support.shipped_mutants import ALL, assert_noticed


@pytest.mark.parametrize("mutant", ALL, ids=lambda each: each.name)
def test_another_number_fails_a_test(mutant: Mutant, tmp_path: Path) -> None:
    assert_noticed(mutant, tmp_path)
