"""One base that changed behind five hundred repositories, in one minute."""

import pytest

from support.court import DAY, MB, Court, built
from support.images import a_layer
from weighbridge.store.session import open_database

pytestmark = pytest.mark.timeout(600)

REPOSITORIES = 500
BASE = ("FROM debian", a_layer("debian", 50 * MB))
LIGHT = ("RUN java", a_layer("java 8", 70 * MB))
HEAVY = ("RUN java", a_layer("java 9", 470 * MB))


def test_f39_five_hundred_repositories_at_once_are_two_messages(
    database_url: str,
) -> None:
    names = [f"team-{n % 50}/app-{n}" for n in range(REPOSITORIES)]
    database = open_database(database_url)
    court = Court(database, names=names)
    for name in names:
        court.crawl({"latest": built(BASE, LIGHT)}, name)
    court.now += DAY
    moment = court.now
    for name in names:
        court.now = moment
        own = ("COPY app", a_layer(name, MB))
        court.crawl({"latest": built(BASE, HEAVY, own)}, name)
        court.deliver()
    court.deliver_until(court.now + 2 * DAY)
    causes = [court.cause(name) for name in names]
    database.close()

    assert [len(told) for told in court.messages] == [1, REPOSITORIES - 1]
    assert {cause.of for cause in causes} == {"base"}
    assert {cause.base_grown_amount for cause in causes} == {400 * MB}
