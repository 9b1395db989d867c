"""Every case of `weighbridge check`, each with a process of its own."""

from pathlib import Path

import pytest

from support.exit_codes import at_home, said_of_cases


@pytest.mark.timeout(900)
def test_every_case_ends_as_it_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_of_cases("exits", at_home(tmp_path, monkeypatch))

    assert said.splitlines()[-1].endswith(" 0 wrong")
    for code in ("0", "1", "2", "3", "130"):
        assert f"ok {code} " in said
