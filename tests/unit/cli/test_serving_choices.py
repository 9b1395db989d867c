"""What `up` decides before it serves: where it can listen, how it logs."""

import errno
import io

import pytest

from weighbridge.cli.process.log_lines import log_format
from weighbridge.config import Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import UsageError
from weighbridge.web.server.free_address import check_free

DATABASE = Secret("sqlite:///w.db")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Sockets:
    """Stands for the system's: refuses the ports that are named, with an errno."""

    def __init__(self, refused: dict[int, int]) -> None:
        self.refused = refused

    def __call__(self, host: str, port: int) -> None:
        if port in self.refused:
            raise OSError(self.refused[port], "said by the system")


def refusal(port: int, refused: dict[int, int], host: str = "127.0.0.1") -> UsageError:
    with pytest.raises(UsageError) as raised:
        check_free(host, port, listen=Sockets(refused))
    return raised.value


def test_a_free_port_is_taken() -> None:
    check_free("127.0.0.1", 8080, listen=Sockets({}))


def test_the_next_free_port_is_offered() -> None:
    error = refusal(8080, dict.fromkeys((8080, 8081, 8082), errno.EADDRINUSE))

    assert error.message == "127.0.0.1:8080 is in use by another program"
    assert error.hint == "--bind 127.0.0.1:8083, which is free now"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "[::1]:80 is not for this user"),
        (errno.EADDRNOTAVAIL, "this machine has no such address"),
        (errno.EAFNOSUPPORT, "said by the system"),
    ],
)
def test_another_cause_is_not_called_in_use(number: int, words: str) -> None:
    error = refusal(80, {80: number}, "::1")

    assert words in error.message
    assert "in use" not in error.message
    assert error.hint.startswith("--bind [::1]:1024,")


@pytest.mark.parametrize(
    ("stream", "said", "expected"),
    [
        (Terminal(), None, "console"),
        (io.StringIO(), None, "json"),
        (Terminal(), "json", "json"),
        (io.StringIO(), "console", "console"),
    ],
)
def test_logs_are_lines_for_a_person_on_a_terminal_unless_something_else_is_said(
    stream: io.StringIO, said: str | None, expected: str
) -> None:
    written = {} if said is None else {"log_format": said}
    settings = Settings.model_validate({"database_url": DATABASE, **written})

    assert log_format(settings, stream) == expected
