"""What the page on configuration has an administrator of PostgreSQL type."""

import pytest
from sqlalchemy.engine import make_url

from support.database import Engine
from support.page_examples import Block, blocks_for
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

pytestmark = pytest.mark.only_on("postgresql")
NAME = "weighbridge_of_the_page"


@pytest.mark.parametrize("block", blocks_for("sql"), ids=lambda block: block.name)
def test_the_statements_make_a_database_of_ours(engine: Engine, block: Block) -> None:
    from support.postgres import shared_cluster

    cluster = shared_cluster()
    statements = block.text.replace("weighbridge", NAME).strip().split("\n")

    for statement in statements:
        cluster.execute(statement.removesuffix(";"))
    try:
        url = make_url(cluster.url(NAME)).set(username=NAME)
        database = open_database(url.render_as_string(hide_password=False))
        upgrade(database)
        database.close()
    finally:
        cluster.drop(NAME)
        cluster.execute(f"DROP ROLE {NAME}")

    assert len(statements) == 2
