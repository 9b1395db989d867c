"""What `weighbridge check` exits with, as a shell script sees it."""

from pathlib import Path

import pytest

from support.exit_codes import at_home, said_of_cases


@pytest.mark.timeout(300)
def test_each_exit_code_is_the_one_that_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_of_cases("few", at_home(tmp_path, monkeypatch))

    assert said.splitlines()[-1].endswith(" 0 wrong")
    for code in ("0", "1", "2", "3", "130"):
        assert f"ok {code} " in said
