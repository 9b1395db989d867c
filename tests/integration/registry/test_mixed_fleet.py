"""Six registries of six kinds in one crawl, one of them dead and one throttling: the
others do not wait for them, and nobody is shown what is another's."""

from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from support.mixed_fleet import (
    DEAD,
    HEALTHY,
    REPOSITORIES,
    SECRETS,
    THROTTLED,
    Crawled,
    Fleet,
    crawl_fleet,
    mixed_fleet,
    readable,
)
from support.service_process import service_process
from support.serving import PLAIN
from support.wait import wait_in_thread
from weighbridge.web.routes.app import ROUTES

ALL = (THROTTLED, DEAD, *HEALTHY)
"""The two that keep a crawl waiting are the first."""
TAGS, MANY = 10, 50


def test_a_dead_and_a_throttling_registry_hold_up_none_of_the_others(
    tmp_path: Path,
) -> None:
    with mixed_fleet(tmp_path, TAGS) as fleet:
        alone = crawl_fleet(fleet, tmp_path, HEALTHY, "alone.db")
        together = crawl_fleet(fleet, tmp_path, ALL, "together.db")

    assert alone.exit_code == 0
    assert_told(together, TAGS)
    # How it is meant: at most 1.2, see below. Here it is seen that nobody waits for
    # the end of a registry that gives nothing.
    assert ratio([alone], [together]) < 2.5
    assert fleet.violations() == []


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("is_silent", [False, True])
def test_four_registries_take_no_longer_beside_a_dead_and_a_throttling_one(
    tmp_path: Path, is_silent: bool
) -> None:
    """Of three crawls of each the fastest are compared, taken in turn."""
    alone, together = [], []
    with mixed_fleet(tmp_path, MANY, is_silent=is_silent, retry_after_s=1) as fleet:
        for n in range(3):
            alone.append(crawl_fleet(fleet, tmp_path, HEALTHY, f"alone{n}.db"))
            together.append(crawl_fleet(fleet, tmp_path, ALL, f"together{n}.db"))

    for one in together:
        assert_told(one, MANY)
    print(f"ratio {ratio(alone, together):.2f}")
    assert ratio(alone, together) <= 1.2


def test_no_secret_leaves_its_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_LOG_LEVEL", "debug")
    served_in = tmp_path / "served"
    served_in.mkdir()
    with mixed_fleet(tmp_path, TAGS) as fleet:
        crawled = crawl_fleet(fleet, tmp_path, ALL, "fleet.db")
        url = f"sqlite:///{tmp_path / 'fleet.db'}"
        entries = list(fleet.entries.values())
        with service_process("up", served_in, url, *entries) as service:
            before = len(fleet.heard[THROTTLED])
            pages = {path: get(service.url, path) for path in paths()}
            ask_for_a_crawl(service.url)
            wait_in_thread(
                lambda: len(fleet.heard[THROTTLED]) > before, "it crawls again"
            )
            pages |= {f"{path} ": get(service.url, path) for path in paths()}
            kept = {p.name: p.read_bytes() for p in tmp_path.glob("fleet.db*")}
            log = service.log
        log += service.log

    assert_shown_to_their_own_hosts(fleet)
    assert "fleet.db-wal" in kept
    told = {"the crawl": crawled.written, "the log": log, **pages}
    told |= {name: raw.decode("latin-1") for name, raw in kept.items()}
    assert DEAD in log
    for name, secrets in fleet.secrets().items():
        found = [where for where, text in told.items() for s in secrets if s in text]
        assert found == [], name
    assert fleet.violations() == []


def assert_told(crawled: Crawled, tags: int) -> None:
    """The four are whole, and of the others it is said what they are."""
    assert crawled.exit_code == 3
    states = {name: one["state"] for name, one in crawled.registries.items()}
    assert states.keys() == {*ALL}
    for name in HEALTHY:
        one = crawled.registries[name]
        assert (one["state"], one["tags"], one["complete"]) == ("ok", tags, 1), name
    assert states[DEAD] == "unreachable"
    assert crawled.registries[THROTTLED]["reason"] == "rate_limited"


def ratio(alone: list[Crawled], together: list[Crawled]) -> float:
    """How much longer the last of the four took beside the other two."""
    first, second = (
        min(max(one.lasted_s.values()) for one in those) for those in (alone, together)
    )
    print(f"alone {first:.2f} s, together {second:.2f} s")
    return second / first


def assert_shown_to_their_own_hosts(fleet: Fleet) -> None:
    secrets = fleet.secrets()
    seen = {
        name: "\n".join(readable(asked) for asked in heard)
        for name, heard in fleet.heard.items()
    }
    for name, text in seen.items():
        assert text, name
        for owner, those in secrets.items():
            if owner != name:
                assert [s for s in those if s in text] == [], f"{owner}'s at {name}"
    # Else nothing could be seen in what was heard. A key of ECR is never sent.
    for name in ("google", "harbor", "quay", THROTTLED):
        assert SECRETS[name] in seen[name]


def paths() -> list[str]:
    """Of everything that can be read."""
    ref = f"harbor/{REPOSITORIES['harbor']}"
    parts = {"crawl_id": "1", "request_id": "1"}
    found = []
    for row in ROUTES:
        if row.method == "GET":
            path = row.path.format(**parts)
            found += [
                path,
                f"{path}?ref={quote(ref)}",
                f"{path}?ref={quote(ref)}:t0000",
            ]
            found += [f"{path}?registry={name}" for name in ALL]
    return [*found, f"/probe?target={THROTTLED}", f"/probe?target={DEAD}", "/none"]


def get(url: str, path: str) -> str:
    answer = httpx.get(f"{url}{path}", trust_env=False, verify=PLAIN, timeout=60)
    return f"{answer.headers}\n{answer.text}"


def ask_for_a_crawl(url: str) -> None:
    """Of what is well, of what throttles and of what is dead."""
    for name in ALL:
        httpx.post(
            f"{url}/api/v1/crawls",
            json={"registry": name},
            trust_env=False,
            verify=PLAIN,
            timeout=60,
        )
