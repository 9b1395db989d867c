"""Credential helpers as programs in PATH: honest, hostile, hanging, endless."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.wait import wait_in_thread
from weighbridge.registry.login.docker_config import HelperError, Login, ask_helper

HOST = "registry.example:5000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "bin"
    made.mkdir()
    return made


def program(folder: Path, name: str, body: str) -> None:
    """A helper in Python, run by its first line."""
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!{sys.executable} -S\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def ask(folder: Path, name: str, **more: str) -> Login | None:
    environ = {"PATH": str(folder), "HOME": str(folder)} | more
    return ask_helper(name, HOST, environ)


def refused(folder: Path, name: str, **more: str) -> str:
    with pytest.raises(HelperError) as caught:
        ask(folder, name, **more)
    return caught.value.message


def answer(username: str, secret: str) -> str:
    document = {"ServerURL": HOST, "Username": username, "Secret": secret}
    return f"print({json.dumps(json.dumps(document))})"


def test_a_helper_is_asked_for_one_server_and_its_login_is_taken(folder: Path) -> None:
    program(
        folder,
        "good-1",
        "import sys, json\n"
        "server = sys.stdin.read()\n"
        "print(json.dumps({'ServerURL': server, 'Username': ' '.join(sys.argv[1:]),"
        " 'Secret': server}))",
    )

    login = ask(folder, "good-1")

    assert login is not None
    assert (login.username, login.secret.reveal()) == ("get", HOST)
    assert HOST not in repr(login)


def test_a_helper_sees_nothing_of_our_environment(folder: Path) -> None:
    program(
        folder,
        "env",
        "import os, json\n"
        "print(json.dumps({'Username': ','.join(sorted(os.environ)),"
        " 'Secret': os.getcwd()}))",
    )

    login = ask(folder, "env", WEIGHBRIDGE_DATABASE_URL="c4nary", LD_PRELOAD="")

    assert login is not None
    names = set(login.username.split(",")) - {"LC_CTYPE"}  # which Python sets itself
    assert names == {"HOME", "PATH"}
    assert login.secret.reveal() == "/"


def test_a_server_that_it_does_not_know_is_no_fault(folder: Path) -> None:
    program(
        folder,
        "none",
        "import sys\nprint('credentials not found in native keychain')\nsys.exit(1)",
    )

    assert ask(folder, "none") is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../evil",
        "/bin/sh",
        "a/b",
        "a b",
        "a;touch x",
        "$(x)",
        "Desktop",
        "x.exe",
        "a\n",
        "é",
        "a" * 65,
        "evil\x1b[2J",
    ],
)
def test_a_hostile_name_is_never_run(folder: Path, name: str) -> None:
    (folder / "evil").write_text("#!/bin/sh\ntouch ran\n")

    message = refused(folder, name)

    assert "no name of a credential helper" in message
    assert message.isprintable()


def test_a_program_in_the_working_folder_is_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(folder, "here", answer("ann", "x"))
    monkeypatch.chdir(folder)

    for path in ("", ".", "./", f":{folder.name}"):
        assert "is not in PATH" in refused(folder, "here", PATH=path)
    assert ask(folder, "here") is not None


def test_a_helper_that_hangs_is_ended_with_what_it_started(folder: Path) -> None:
    program(
        folder,
        "hangs",
        "import os, time\n"
        "os.fork()\n"
        f"with open({str(folder / 'pids')!r}, 'a') as file:\n"
        "    print(os.getpid(), file=file)\n"
        "time.sleep(600)",
    )

    refusal = refused_in_time("hangs", folder, lambda _: len(pids_in(folder)) == 2)

    assert "did not answer in time" in refusal
    pids = pids_in(folder)
    wait_in_thread(lambda: not any(map(_runs, pids)), "both have ended")


def refused_in_time(name: str, folder: Path, is_meant: Callable[[str], bool]) -> str:
    """What is said of a helper that does not end. It must have begun before its time
    is over: it has more of that where the machine is slow."""
    said = ""
    for deadline_s in (1.0, 4.0, 16.0, 64.0):
        (folder / "pids").write_text("")
        with pytest.raises(HelperError) as caught:
            ask_helper(name, HOST, {"PATH": str(folder)}, deadline_s=deadline_s)
        said = str(caught.value)
        if is_meant(said):
            break
    return said


def pids_in(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "pids").read_text().split()]


def _runs(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"


def test_a_helper_that_closes_its_pipes_and_stays_is_ended(folder: Path) -> None:
    program(
        folder, "stays", "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(600)"
    )

    expected = "did not end in time"
    assert expected in refused_in_time("stays", folder, lambda said: expected in said)


@pytest.mark.parametrize("number", [1, 2])
def test_endless_output_is_cut_off(folder: Path, number: int) -> None:
    program(
        folder, "floods", f"import os\nwhile True: os.write({number}, b'x' * 65536)"
    )

    assert "printed more than any login has" in refused(folder, "floods")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "print('c4nary')",
        "print('[\"c4nary\"]')",
        'print(\'{"Username": "", "Secret": "c4nary"}\')',
        'print(\'{"Username": "c4nary"}\')',
        'print(\'{"Username": 1, "Secret": "c4nary"}\')',
        'print(\'{"Username": "a", "Username": "b", "Secret": "c4nary"}\')',
        "import os; os.write(1, b'\\xff{}')",
        "print('[' * 5000)",
    ],
)
def test_what_is_no_login_is_not_repeated(folder: Path, body: str) -> None:
    program(folder, "odd", body)

    message = refused(folder, "odd")

    assert "docker-credential-odd printed no" in message
    assert "c4nary" not in message


def test_of_what_a_failing_helper_complains_one_short_line_is_told(
    folder: Path,
) -> None:
    program(
        folder,
        "fails",
        "import sys\nprint('c4nary')\n"
        "sys.stderr.write('no session\\x1b[2J, password=c4nary ' + 'x' * 500)\n"
        "sys.stderr.write('\\nsecond line')\nsys.exit(3)",
    )

    message = refused(folder, "fails")

    assert "docker-credential-fails ended with status 3: no session" in message
    assert "c4nary" not in message
    assert "second line" not in message
    assert message.isprintable()
    assert len(message) < 200


def test_a_helper_that_is_no_program_is_told(folder: Path) -> None:
    path = folder / "docker-credential-text"
    path.write_text("just text")
    path.chmod(0o755)

    assert "docker-credential-text cannot be run" in refused(folder, "text")


def test_a_helper_that_reads_nothing_may_answer(folder: Path) -> None:
    program(folder, "deaf", "import os\nos.close(0)\n" + answer("ann", "x"))

    login = ask(folder, "deaf")

    assert login is not None
    assert login.username == "ann"


def test_a_helper_that_is_not_there_is_named(folder: Path) -> None:
    assert refused(folder, "nope") == "docker-credential-nope is not in PATH"
    assert os.listdir(folder) == []
