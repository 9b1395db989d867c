"""Lists as parameters of PostgreSQL come back as they were."""

from collections.abc import Sequence

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighbridge.errors import StoreError
from weighbridge.store.connection.postgresql_connection import ArrayDumper
from weighbridge.store.session import Database

pytestmark = pytest.mark.only_on("postgresql")

_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_KINDS = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "bytea": st.binary(),
    "text": _TEXTS
    | st.sampled_from(["", "NULL", "null", "{", '"', "\\", "a,b", " a "]),
}


def returned(database: Database, kind: str, values: Sequence[object]) -> object:
    with database.read() as connection:
        statement = f"SELECT %s::{kind}[]"
        return connection.exec_driver_sql(statement, (values,)).scalar_one()


@pytest.mark.parametrize("kind", _KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_list_is_what_it_was(
    database: Database, kind: str, data: st.DataObject
) -> None:
    values = data.draw(st.lists(_KINDS[kind] | st.none(), max_size=8))

    assert returned(database, kind, values) == values


def test_what_only_the_driver_knows_is_left_to_it(database: Database) -> None:
    assert returned(database, "float8", [1.5, None]) == [1.5, None]
    assert returned(database, "bigint", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]


def test_a_text_with_a_nul_is_refused_and_not_cut(database: Database) -> None:
    with pytest.raises(StoreError, match="DataError"):
        returned(database, "text", ["a", "b\0c"])


def test_our_connections_write_their_lists_so(database: Database) -> None:
    with database.read() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        dumper = driver.adapters.get_dumper(list, psycopg.adapt.PyFormat.AUTO)

    assert dumper is ArrayDumper
