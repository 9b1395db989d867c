"""Files of policies: which are read, in which order, and what is wrong with them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from support.policy_files import FILES, loaded, policy, refused, write
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_policies, load_settings
from weighbridge.errors import ConfigError

NOBODY: Final = 65534


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies.d").mkdir()
    return tmp_path


@contextmanager
def permissions_hold(folder: Path) -> Iterator[None]:
    """Root may read everything: be somebody else, who can enter only this folder."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_those_of_the_main_file_come_first_then_the_files_by_path(folder: Path) -> None:
    mine = "policies: [{{name: {}, team: {}}}]\n"

    source = loaded(
        folder,
        main=FILES + mine.format("main", "a"),
        b=mine.format("from b", "b"),
        a=mine.format("from a", "c"),
    )

    names = [each.name for each in source.policies.policies]
    assert names == ["main", "from a", "from b"]
    assert source.policies.limits_of("hub", "app", "1").team == "a"


def test_a_file_that_two_patterns_name_is_read_once(folder: Path) -> None:
    main = "policy_files: ['policies.d/*.yaml', policies.d/a.yaml]\n"

    source = loaded(folder, main=main, a=policy("team: a"))

    assert len(source.policies.policies) == 1


def test_files_begin_at_the_folder_of_the_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, main=FILES, a=policy("team: a"))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    source = load_policies("../weighbridge.yaml", {})

    (place,) = source.policies.policies[0].places.values()
    assert str(place) == "../policies.d/a.yaml:3"


def test_two_policies_of_one_name_are_refused_in_whatever_files_config_file_004(
    folder: Path,
) -> None:
    error = refused(
        folder, main=FILES + policy("team: a"), a=policy("teem: a"), b=policy("team: b")
    )

    assert [line.split("  ")[0].strip() for line in error.message.splitlines()] == [
        "policies.d/a.yaml:2",
        "policies.d/a.yaml:3",
        "policies.d/b.yaml:2",
    ]
    assert "is the name of another policy too: weighbridge.yaml:3" in error.message


def test_faults_of_all_files_are_told_at_once(folder: Path) -> None:
    write(
        folder,
        main=f"{FILES}log_level: loud\n",
        a=policy("max_growth: 1"),
        b="policies: 7\n",
        c="- a\n",
        d="policies: [\n",
    )

    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, KINDS)

    error = caught.value
    assert [line.split()[0] for line in error.message.splitlines()] == [
        "weighbridge.yaml:2",
        "policies.d/a.yaml:3",
        "policies.d/b.yaml:1",
        "policies.d/c.yaml:1",
        "policies.d/d.yaml:2",
    ]
    assert "must hold keys, such as policies:" in error.message


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("nowhere.yaml", "nowhere.yaml  cannot be read: No such file or directory"),
        ("policies.d", "policies.d  is not a regular file"),
        ("pipe", "pipe  is not a regular file"),
        ("loop", "loop  cannot be read: Too many levels of symbolic links"),
        ("nowhere/*.yaml", "policy_files[0] = nowhere/*.yaml  there is no folder"),
        ("pipe/*.yaml", "policy_files[0] = pipe/*.yaml  there is no folder"),
        ("loop/*.yaml", "cannot read folder loop: Too many levels of symbolic links"),
        (f"{'a' * 300}/*.yaml", "aaa: File name too long"),
    ],
    ids=lambda text: text[:20],
)
def test_a_policy_file_that_is_none_is_told(
    folder: Path, pattern: str, words: str
) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")

    error = refused(folder, main=f"policy_files: ['{pattern}']\n")

    assert error.code == "unreadable_file"
    assert words in error.message


def test_a_folder_that_may_not_be_read_is_told(folder: Path) -> None:
    write(folder, main=FILES, a=policy("team: a"))
    (folder / "policies.d").chmod(0o311)

    with permissions_hold(folder), pytest.raises(ConfigError) as caught:
        load_policies(None, {})

    assert "cannot read folder policies.d: Permission denied" in caught.value.message


def test_policies_that_come_through_a_pipe_are_not_lost_without_a_word() -> None:
    reading, writing = os.pipe()
    os.write(writing, policy("team: a").encode())
    os.close(writing)
    path = f"/dev/fd/{reading}"

    for load in (partial(load_settings, kinds=KINDS), load_policies):
        with pytest.raises(ConfigError, match="is not a regular file"):
            load(path, {})

    os.close(reading)


@pytest.mark.parametrize("files", ["policies.d", "[7]", "['']", '["a\\0b"]'])
def test_policy_files_are_a_list_of_paths(folder: Path, files: str) -> None:
    error = refused(folder, main=f"policy_files: {files}\n")

    assert "policy_files" in error.message


def test_a_fault_is_one_line_whatever_its_file_is_called(folder: Path) -> None:
    (folder / "policies.d/a\n9 errors\x1b[2J.yaml").write_text("policies: 7\n")

    error = refused(folder, main=FILES)

    assert len(error.message.splitlines()) == 1
    assert "policies.d/a\\n9 errors\\x1b[2J.yaml:1" in error.message


def test_hidden_files_and_other_endings_are_not_read(folder: Path) -> None:
    (folder / "policies.d/.hidden.yaml").write_text("policies: 7\n")
    (folder / "policies.d/old.yaml~").write_text("policies: 7\n")

    source = loaded(folder, main=FILES, a=policy("team: a"))

    assert [each.name for each in source.policies.policies] == ["slim"]


def test_commands_that_need_no_policies_do_not_read_their_files(folder: Path) -> None:
    write(folder, main=FILES, a="policies: 7\n")

    assert load_settings(None, {}, KINDS, policy_files=False).policy_files != ()


def test_the_state_of_the_files_tells_every_change(folder: Path) -> None:
    source = loaded(folder, main=FILES, a=policy("team: a"))
    states = [source.state()]

    write(folder, a=policy("team: ab"))
    states.append(source.state())
    (folder / "policies.d/a.yaml").chmod(0o600)
    states.append(source.state())
    write(folder, b="")
    states.append(source.state())
    (folder / "policies.d/a.yaml").unlink()
    states.append(source.state())
    (folder / "weighbridge.yaml").unlink()
    states.append(source.state())

    assert len(set(states)) == 6
