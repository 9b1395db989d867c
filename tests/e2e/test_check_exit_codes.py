"""What `weighbridge check` exits with, as a shell script sees it."""

from pathlib import Path

import pytest

from support.exit_codes import said_of_cases


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No configuration and no sign-in of whoever runs the tests."""
    for name in ("WEIGHBRIDGE_CONFIG", "WEIGHBRIDGE_TOKEN", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.timeout(300)
def test_each_exit_code_is_the_one_that_is_written_down(home: Path) -> None:
    said = said_of_cases("few", home)

    assert said.splitlines()[-1].endswith(" 0 wrong")
    for code in ("0", "1", "2", "3", "130"):
        assert f"ok {code} " in said
