"""Options that say how an address is reached; a password is never one of them."""

import io
from pathlib import Path

import pytest

from weighbridge.bootstrap.registries.targets import AddressAccess
from weighbridge.cli.main import run
from weighbridge.cli.options.common import AccessOptions
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import UsageError


@pytest.mark.parametrize("typed", ["c4nary", "c4nary\n", "c4nary\r\n"])
def test_a_password_is_read_from_stdin(
    typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    access = AccessOptions(user="ann", password_stdin=True).read()

    assert access == AddressAccess(user="ann", password=Secret("c4nary"))


@pytest.mark.parametrize("typed", ["", "\n", "one\ntwo\n", "a\x00b", "x" * 70_000])
def test_what_is_no_password_is_refused_and_not_shown(
    typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    with pytest.raises(UsageError) as refused:
        AccessOptions(user="ann", password_stdin=True).read()

    assert "one" not in refused.value.message.replace("more than one line", "")


def test_a_password_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("c4nary\n")

    access = AccessOptions(user="ann", password_file=str(file)).read()

    assert access.password == Secret("c4nary")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (AccessOptions(user="ann:c4nary"), "a name alone"),
        (AccessOptions(user=""), "--user is empty"),
        (AccessOptions(password_stdin=True), "no user"),
        (
            AccessOptions(user="a", password_stdin=True, password_file="f"),
            "exclude each other",
        ),
        (AccessOptions(True, ca_file="ca.pem"), "exclude each other"),
        (AccessOptions(ca_file="/dev/zero"), "no regular file"),
        (AccessOptions(ca_file="not-there.pem"), "no regular file"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(options: AccessOptions, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        options.read()

    assert why in refused.value.message
    assert "c4nary" not in f"{refused.value.message} {refused.value.hint}"


def test_the_options_can_be_written_again_without_the_password() -> None:
    options = AccessOptions(False, "ca.pem", "ann", None, password_stdin=True)

    words = ["--https", "--password-stdin", "--ca-file", "ca.pem", "--user", "ann"]
    assert options.words() == words
    assert AccessOptions().words() == []


@pytest.mark.parametrize(
    "command",
    [
        ("inspect",),
        ("check", "--max-layers", "9"),
        ("check", "shop/app", "--max-growth", "1%", "--against"),
        ("policy", "explain"),
        ("crawl",),
    ],
)
@pytest.mark.parametrize(
    "reference", ["ann:c4n-ary@r.example/x", "https://ann:c4n/ary@r.example/x@sha256:a"]
)
def test_no_command_repeats_a_password_that_stands_in_a_reference(
    command: tuple[str, ...],
    reference: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    code = run([*command, reference])

    printed = capsys.readouterr()
    assert code == 2
    assert "c4n" not in printed.out + printed.err
    assert "ary" not in printed.out + printed.err
    assert "...@r.example/x" in printed.err
