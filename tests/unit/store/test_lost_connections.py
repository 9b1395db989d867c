"""What a driver says of a connection that broke, in our words."""

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from weighbridge.store.connection.failures import store_error
from weighbridge.store.connection.postgresql_connection import Overdue, ProcessEnding

STATUS = "connection in transaction status"


@pytest.mark.parametrize(
    "error",
    [
        psycopg.ProgrammingError(f"can't change 'autocommit' now: {STATUS} ACTIVE"),
        psycopg.ProgrammingError(f"can't change 'read_only' now: {STATUS} UNKNOWN"),
        psycopg.OperationalError("the connection is closed"),
        psycopg.errors.AdminShutdown("terminating connection"),
        psycopg.errors.IdleInTransactionSessionTimeout("terminating connection"),
        psycopg.errors.ConnectionTimeout("connection timeout expired"),
        Overdue(),
    ],
)
def test_a_connection_that_breaks_is_a_database_that_is_away(
    error: psycopg.Error,
) -> None:
    found = store_error(DBAPIError("SELECT 1", {}, error))

    assert (found.code, found.retryable) == ("database_unavailable", True)


def test_a_process_that_ends_tries_nothing_again() -> None:
    found = store_error(DBAPIError("SELECT 1", {}, ProcessEnding()))

    assert (found.code, found.retryable) == ("process_ending", False)


def test_a_statement_that_is_wrong_is_no_wrong_url() -> None:
    error = psycopg.ProgrammingError("the query has 2 placeholders but 1 was passed")

    assert store_error(DBAPIError("SELECT 1", {}, error)).code == "store_error"
