"""Only regular files are read, wherever a path is configured: no pipe keeps a process
waiting, no device is read without end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.config.file.regular_file import read_regular, read_secret_file
from weighbridge.errors import ConfigError
from weighbridge.net.connection.connect import client_tls
from weighbridge.registry.login.docker_config import docker_config_credential

HUB = "registries:\n  - name: hub\n    url: https://registry.example\n"


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_device(_: Path) -> Path:
    return Path("/dev/zero")


def a_socket(folder: Path) -> Path:
    os.mknod(folder / "socket", 0o140600)
    return folder / "socket"


def a_pipe_behind_a_link(folder: Path) -> Path:
    (folder / "link").symlink_to(a_pipe(folder))
    return folder / "link"


def load_config(path: Path) -> None:
    load_settings(str(path), {}, KINDS)


def load_with(keys: str) -> Callable[[Path], None]:
    def load(path: Path) -> None:
        folder = path.parent if path.parent.name != "dev" else Path.cwd()
        (folder / "w.yaml").write_text(f"{HUB}{keys.format(path=path)}")
        load_settings(str(folder / "w.yaml"), {}, KINDS)

    return load


READERS: dict[str, Callable[[Path], object]] = {
    "--config": load_config,
    "ca_file": load_with("    ca_file: {path}\n"),
    "docker_config": load_with("    auth: {{docker_config: {path}}}\n"),
    "password_file": load_with("    auth: {{username: acme, password_file: {path}}}\n"),
    "token_file": load_with("    auth: {{token_file: {path}}}\n"),
    "policy_files": load_with("policy_files: ['{path}']\n"),
    "a CA that is read later": lambda path: client_tls(str(path)),
    "a docker configuration that is read later": lambda path: docker_config_credential(
        "registry.example", path, lambda *_: None
    ),
    "WEIGHBRIDGE_DATABASE_URL_FILE": lambda path: load_settings(
        None, {"WEIGHBRIDGE_DATABASE_URL_FILE": str(path)}, KINDS
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("make", [a_pipe, a_device, a_socket, a_pipe_behind_a_link])
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], Path],
    reader: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path)

    with pytest.raises(ConfigError, match="is not a regular file"):
        READERS[reader](path)


def test_a_secret_that_kubernetes_mounts_is_read(tmp_path: Path) -> None:
    """A link to a file below a link to a folder, which is replaced as a whole."""
    (tmp_path / "..2026_12_01").mkdir()
    (tmp_path / "..2026_12_01" / "password").write_text("s3cret")
    (tmp_path / "..data").symlink_to("..2026_12_01")
    (tmp_path / "password").symlink_to("..data/password")

    assert read_secret_file(tmp_path / "password").reveal() == "s3cret"


def test_of_a_large_file_one_byte_more_than_the_most_is_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 100)

    assert read_regular(tmp_path / "large", 9) == b"x" * 10


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"\xef\xbb\xbfs3cret\n", "s3cret"),
        (b" s3 cret ", " s3 cret "),
        ("gehe\u00efm\n".encode(), "gehe\u00efm"),
    ],
)
def test_of_a_secret_file_the_mark_and_one_line_end_are_dropped(
    tmp_path: Path, written: bytes, secret: str
) -> None:
    (tmp_path / "secret").write_bytes(written)

    assert read_secret_file(tmp_path / "secret").reveal() == secret


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"s3cret\n\n", "more than one line"),
        (b"s3\ncret\n", "more than one line"),
        (b"s3\rcret", "more than one line"),
        (b"s3cret\r\n\r\n", "more than one line"),
        (b"s3\0cret", "U+0000"),
        (b"s3\tcret", "U+0009"),
        (b"s3\x7fcret", "U+007F"),
        (b"s3\xc2\x85cret", "U+0085"),
        (b"\xef\xbb\xbf\n", "is empty"),
    ],
)
def test_a_control_character_in_a_secret_file_is_an_error_that_names_the_file(
    tmp_path: Path, written: bytes, words: str
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(written)

    with pytest.raises(ConfigError) as caught:
        read_secret_file(path)

    assert caught.value.code == "secret_file"
    assert str(path) in caught.value.message
    assert words in caught.value.message
    assert "s3" not in caught.value.message.replace(str(path), "")
