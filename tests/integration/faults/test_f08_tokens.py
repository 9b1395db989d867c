"""F08: tokens end in the middle of a crawl, and the token server goes away."""

from pathlib import Path

import pytest

from support.faults import Altered, Delay, Instead, status
from support.faulty_crawls import NAME, CrawledDatabase, watching
from support.guarded_registry import a_guarded_registry
from support.hasty_crawls import Hasty
from support.two_moments import TwoMoments
from weighbridge.config import RegistrySettings

pytestmark = pytest.mark.only_on("sqlite")  # what is kept is not the matter

THREE_SECONDS = -57
"""The registry takes a token for a minute longer than it says."""


def test_f08_tokens_that_end_during_a_crawl_are_replaced(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    with a_guarded_registry(moments, tmp_path / "guarded") as (proxy, tokens):
        proxy.spoil(Instead(tokens.give), kind="token")
        proxy.spoil(Altered(tokens.refuse_revoked))
        for number in (60, 120, 180):
            proxy.before(tokens.revoke, since=number)

        with watching(database) as watch:
            done = database.crawl(proxy.url, registry=at_most_four_at_once(proxy.url))

    assert done.faults == ()
    assert len(tokens.revoked) > 4
    # Without a token, with one that was revoked, with a new one.
    assert proxy.plan.most_attempts <= 3
    # Repositories and the catalog have tokens of their own, renewed once each time.
    assert proxy.plan.asked["token"] <= 5 * 4
    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


def test_f08_a_token_that_ends_while_requests_wait_their_turn_is_replaced(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    # A chunk of tags waits at the gate for longer than its token holds, as a minute's
    # token does at 20 requests a second.
    with a_guarded_registry(moments, tmp_path / "guarded") as (proxy, tokens):
        tokens.issuer.lasts_s = THREE_SECONDS
        proxy.spoil(Instead(tokens.give), kind="token")
        proxy.spoil(Delay(0.15), kind="manifest")

        done = database.crawl(proxy.url, registry=at_most_four_at_once(proxy.url))

    assert done.faults == ()
    moments.assert_caught_up(database)


def at_most_four_at_once(url: str) -> RegistrySettings:
    return RegistrySettings.model_validate(
        {"name": NAME, "url": url, "limits": {"concurrency": 4}}
    )


def test_f08_a_token_server_that_is_down_empties_nothing(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    with a_guarded_registry(moments, tmp_path / "guarded") as (proxy, tokens):
        proxy.spoil(status(503), target="/token.*shop%2Fapp")
        proxy.spoil(Instead(tokens.give), kind="token")

        with watching(database) as watch:
            Hasty().crawl(database, proxy.url)

        found = database.repository("shop/app")
        assert found is not None
        assert found.state in ("unauthorized", "error", "unreachable")
        assert found.tags == 30
        for tag, record in database.records().items():
            if tag.startswith("shop/app:"):
                assert record == moments.old[tag]
        moments.assert_unharmed(watch)

        proxy.heal()
        proxy.spoil(Instead(tokens.give), kind="token")
        database.crawl(proxy.url)
    moments.assert_caught_up(database)
