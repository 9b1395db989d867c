"""Logs: one line a record, whatever is in it, and no secret ever."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import RegistryError
from weighbridge.logs import LogFormat, LogLevel, configure


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def a_stream(log_format: LogFormat = "json", level: LogLevel = "info") -> io.StringIO:
    stream = io.StringIO()
    configure(log_format, level, stream)
    return stream


def the_record(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    record: object = json.loads(line)
    assert isinstance(record, dict)
    return record


def test_a_record_has_time_level_event_and_its_fields() -> None:
    stream = a_stream()

    structlog.get_logger("weighbridge.jobs").warning("crawl failed", registry="hub")

    record = the_record(stream)
    assert list(record)[:3] == ["time", "level", "event"]
    assert (record["level"], record["event"]) == ("warning", "crawl failed")
    assert (record["logger"], record["registry"]) == ("weighbridge.jobs", "hub")


def test_time_is_rfc_3339_in_utc() -> None:
    stream = a_stream()

    logging.getLogger("anything").warning("now")

    time = str(the_record(stream)["time"])
    assert time.endswith("Z")
    assert time[10] == "T"


def test_a_logger_made_before_configure_is_configured_too() -> None:
    log = structlog.get_logger("weighbridge.early")
    stream = a_stream()

    log.info("hello")

    assert the_record(stream)["event"] == "hello"


@pytest.mark.parametrize("name", ["uvicorn.error", "sqlalchemy.engine", "asyncio"])
def test_loggers_of_libraries_end_in_the_same_place(name: str) -> None:
    logging.getLogger(name).addHandler(logging.NullHandler())
    stream = a_stream()

    logging.getLogger(name).warning("%s of %d", "one", 2)

    assert the_record(stream)["event"] == "one of 2"


def test_uvicorns_access_log_is_silent_since_paths_may_hold_secrets() -> None:
    stream = a_stream(level="debug")

    logging.getLogger("uvicorn.access").info("POST /webhooks/quay/s3cr3t")

    assert stream.getvalue() == ""


def test_what_is_below_the_level_is_not_written() -> None:
    stream = a_stream(level="warning")

    structlog.get_logger().info("small talk")
    logging.getLogger("library").info("small talk")

    assert stream.getvalue() == ""


def test_a_line_from_a_registry_cannot_forge_a_record() -> None:
    stream = a_stream()

    structlog.get_logger().info("seen", line='x\r\n{"level":"info"}\x1b[2J\u202e\u2028')

    text = stream.getvalue()
    assert text.count("\n") == 1
    assert the_record(stream)["line"] == 'x\\r\\n{"level":"info"}\\x1b[2J\\u202e\\u2028'


@pytest.mark.parametrize("log_format", ["json", "console"])
@given(text=st.text(), name=st.text(), other=st.text())
def test_any_text_makes_exactly_one_line(
    log_format: LogFormat, text: str, name: str, other: str
) -> None:
    stream = a_stream(log_format)

    structlog.get_logger().info(text, **{name: other} if name != "event" else {})

    assert len(stream.getvalue().splitlines()) == 1
    stream.getvalue().encode()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_secret_is_never_written(log_format: LogFormat) -> None:
    stream = a_stream(log_format)
    log = structlog.get_logger()

    log.info("a", user=Secret("c4nary"), deep={"in": [Secret("c4nary")]})
    log.info("b", password="c4nary", headers={"Authorization": "c4nary"})
    log.info("c", url="https://me:c4nary@registry.example/v2/", raw=b"c4nary")
    logging.getLogger("x").warning("Authorization: Bearer c4nary")

    assert "c4nary" not in stream.getvalue()
    assert "<redacted>" in stream.getvalue()


def test_an_error_is_its_code_and_message_without_a_traceback() -> None:
    stream = a_stream()

    try:
        raise RegistryError("the registry said no", code="quota_spent")
    except RegistryError:
        structlog.get_logger().exception("crawl failed")

    record = the_record(stream)
    assert record["error_code"] == "quota_spent"
    assert record["error"] == "the registry said no"
    assert "traceback" not in record


def test_an_error_that_is_not_ours_is_named_by_its_class() -> None:
    stream = a_stream()

    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("library").exception("failed")

    record = the_record(stream)
    assert (record["error_code"], record["error"]) == ("ValueError", "two\\nlines")


def test_debug_shows_the_traceback_on_the_same_line() -> None:
    stream = a_stream(level="debug")

    try:
        raise ValueError("why")
    except ValueError:
        structlog.get_logger().exception("failed")

    assert "ValueError: why" in str(the_record(stream)["traceback"])


def test_a_field_cannot_take_the_place_of_the_records_own() -> None:
    stream = a_stream()

    structlog.get_logger("real").info("true", level="fatal", time="never", args=(1,))

    record = the_record(stream)
    assert (record["level"], record["logger"]) == ("info", "real")
    assert record["args"] == [1]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (10**30, 10**30),
        (None, None),
        (True, True),
        (object, "<class 'object'>"),
    ],
)
def test_every_value_becomes_valid_json(value: object, written: object) -> None:
    stream = a_stream()

    structlog.get_logger().info("seen", value=value)

    assert the_record(stream)["value"] == written


def test_a_value_that_holds_itself_is_written() -> None:
    stream = a_stream()
    ring: list[object] = []
    ring.append(ring)

    structlog.get_logger().info("seen", ring=ring)

    assert "[...]" in json.dumps(the_record(stream)["ring"])


def test_a_long_value_is_cut() -> None:
    stream = a_stream()

    structlog.get_logger().info("seen", body="x" * 1_000_000)

    assert len(stream.getvalue()) < 5_000


def test_context_variables_are_fields() -> None:
    stream = a_stream()

    with structlog.contextvars.bound_contextvars(repository="library/python"):
        structlog.get_logger().info("crawl begins")

    assert the_record(stream)["repository"] == "library/python"


def test_the_console_format_reads_as_a_line() -> None:
    stream = a_stream("console")

    structlog.get_logger().error("crawl failed", registry="hub", why="two words")

    line = stream.getvalue()
    assert line[8:] == ' error   crawl failed  registry=hub  why="two words"\n'


def test_importing_logs_does_not_import_structlog() -> None:
    check = "import sys, weighbridge.logs; print('structlog' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
