"""A database that cannot hold every text is refused, in whatever encoding."""

import pytest
from sqlalchemy import text

from support.database import Engine
from weighbridge.errors import StoreError
from weighbridge.store.session import open_database

pytestmark = pytest.mark.only_on("postgresql")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
@pytest.mark.parametrize("asked", ["", "&client_encoding=SQL_ASCII"])
def test_a_database_in_another_encoding_than_utf_8_is_refused(
    engine: Engine, encoding: str, asked: str
) -> None:
    from support.postgres import shared_cluster

    cluster = shared_cluster()
    name = f"in_{encoding.lower()}"
    cluster.execute(
        f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C'"
        " LOCALE_PROVIDER libc TEMPLATE template0"
    )
    try:
        with pytest.raises(StoreError, match=f"is encoded as {encoding}") as caught:
            open_database(f"{cluster.url(name)}{asked}")
    finally:
        cluster.drop(name)

    assert caught.value.code == "database_encoding"


def test_a_client_encoding_in_the_url_does_not_change_what_is_read(
    engine: Engine,
) -> None:
    from support.postgres import a_postgresql_url

    with a_postgresql_url() as url:
        database = open_database(f"{url}&client_encoding=SQL_ASCII")
        with database.read() as connection:
            assert connection.execute(text("SELECT 'é'")).scalar() == "é"
        database.close()
