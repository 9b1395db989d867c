"""Which repositories are bases: the rows follow the configuration."""

from sqlalchemy import select

from support.store_world import T0, an_entry
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.store.bases.marks import mark_all_bases, mark_bases
from weighbridge.store.models import base_repositories
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Connection, Database

DEBIAN = BasePlace("library/debian", "docker.io", "library/debian")
NODE = BasePlace("library/node", "docker.io", "library/node")


def put(connection: Connection, *names: str) -> dict[str, int]:
    registry_id = put_registry(connection, an_entry("hub"), T0)
    return put_repositories(connection, registry_id, names, T0)


def marked(connection: Connection) -> dict[int, str]:
    rows = connection.execute(select(base_repositories))
    return {row.repository_id: f"{row.host}/{row.repository}" for row in rows}


def test_a_repository_is_marked_once_it_is_known(database: Database) -> None:
    with database.write() as connection:
        ids = put(connection, "library/debian", "acme/app")

        first = mark_bases(connection, "hub", [DEBIAN, NODE])
        again = mark_bases(connection, "hub", [DEBIAN, NODE])

        debian = ids["library/debian"]
        assert (first, again) == ([debian], [])
        assert marked(connection) == {debian: "docker.io/library/debian"}


def test_what_is_not_named_any_more_is_no_base(database: Database) -> None:
    with database.write() as connection:
        ids = put(connection, "library/debian", "library/node")
        mark_bases(connection, "hub", [DEBIAN, NODE])

        mark_all_bases(connection, {"hub": [NODE]})

        assert list(marked(connection)) == [ids["library/node"]]
        mark_all_bases(connection, {"hub": []})
        assert marked(connection) == {}


def test_a_mark_says_the_name_that_is_written_now(database: Database) -> None:
    with database.write() as connection:
        ids = put(connection, "library/debian")
        mark_bases(connection, "hub", [DEBIAN])
        other = BasePlace("library/debian", "mirror.example", "library/debian")

        new = mark_bases(connection, "hub", [other])

        assert new == [ids["library/debian"]]
        assert marked(connection) == {new[0]: "mirror.example/library/debian"}


def test_in_a_registry_that_is_not_configured_any_more_nothing_is_a_base(
    database: Database,
) -> None:
    with database.write() as connection:
        put(connection, "library/debian")
        mark_bases(connection, "hub", [DEBIAN])

        mark_bases(connection, "elsewhere", [DEBIAN])
        assert len(marked(connection)) == 1
        mark_all_bases(connection, {"elsewhere": [DEBIAN]})
        assert marked(connection) == {}
