"""What a registry is taken for of which nobody has written the kind."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
import yaml

from support.database import a_database
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.found_kinds import (
    find_kind,
    suited,
    told_of,
)
from weighbridge.bootstrap.registries.sites import registry_entry
from weighbridge.bootstrap.registries.targets import Target, is_left_to_us
from weighbridge.config import Settings, load_settings
from weighbridge.errors import TransportError
from weighbridge.registry.recognition import Recognised
from weighbridge.store.registries.registry_rows import note_kind, put_registry

URL: Final = "https://registry.example"
NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)


class Showing:
    """A registry that shows what it is, as often as it is asked."""

    def __init__(self, kind: str | None = None) -> None:
        self.kind = kind
        self.asked = 0

    async def __call__(self) -> Recognised:
        self.asked += 1
        return Recognised(self.kind, "it says so")


async def away() -> Recognised:
    raise TransportError("nobody answers")


def configured(folder: Path, **keys: object) -> tuple[Settings, Target]:
    entry: Mapping[str, object] = {"name": "hub", "url": URL, **keys}
    path = folder / "weighbridge.yaml"
    path.write_text(yaml.safe_dump({"registries": [entry]}), encoding="utf-8")
    settings = load_settings(str(path), {}, KINDS)
    (registry,) = settings.registries
    return settings, Target(registry.name, registry.url, registry)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, True),
        ({"kind": "auto"}, True),
        ({"kind": "distribution"}, False),
        ({"url": "https://docker.io"}, False),
    ],
)
def test_only_what_nobody_has_written_and_no_host_tells_is_left_to_us(
    tmp_path: Path, keys: Mapping[str, object], expected: bool
) -> None:
    settings, target = configured(tmp_path, **keys)

    assert is_left_to_us(target) is expected
    assert registry_entry(settings, target, None).knows_kind is not expected


async def test_what_is_written_is_not_asked(tmp_path: Path) -> None:
    _, target = configured(tmp_path, kind="distribution")
    ask = Showing("dockerhub")

    assert await find_kind(target, None, ask) is None
    assert ask.asked == 0


async def test_what_shows_nothing_is_plain(tmp_path: Path) -> None:
    _, target = configured(tmp_path)

    finding = await find_kind(target, None, Showing())

    assert finding is not None
    assert (finding.found.kind, finding.found.shown) == ("distribution",) * 2
    assert finding.settings is not None
    assert told_of(finding.found) == ()


async def test_a_registry_that_is_away_is_nothing_yet(tmp_path: Path) -> None:
    _, target = configured(tmp_path)

    assert await find_kind(target, None, away) is None


async def test_what_is_stored_is_not_asked_again_until_the_address_changes(
    tmp_path: Path,
) -> None:
    settings, target = configured(tmp_path)
    ask = Showing()
    with a_database(tmp_path) as database:
        with database.write() as connection:
            put_registry(connection, registry_entry(settings, target, None), NOW)
            note_kind(connection, URL, "quay", "it said so")

        stored = await find_kind(target, database, ask)
        _, moved = configured(tmp_path, url="https://moved.example")
        fresh = await find_kind(moved, database, ask)

    assert stored is not None
    assert (stored.found.sign, stored.found.is_new) == ("it said so", False)
    assert fresh is not None
    assert (fresh.found.is_new, ask.asked) == (True, 1)


async def test_what_showed_no_kind_is_asked_again_by_a_version_that_knows_others(
    tmp_path: Path,
) -> None:
    settings, target = configured(tmp_path)
    ask = Showing("harbor")
    with a_database(tmp_path) as database:
        with database.write() as connection:
            put_registry(connection, registry_entry(settings, target, None), NOW)
            note_kind(connection, URL, "distribution", "it showed none (of dockerhub)")

        finding = await find_kind(target, database, ask)

    assert finding is not None
    assert (finding.found.shown, finding.found.is_new) == ("harbor", True)


async def test_what_showed_no_kind_to_this_version_is_not_asked_again(
    tmp_path: Path,
) -> None:
    settings, target = configured(tmp_path)
    ask = Showing()
    with a_database(tmp_path) as database:
        with database.write() as connection:
            put_registry(connection, registry_entry(settings, target, None), NOW)
        first = await find_kind(target, database, ask)
        assert first is not None
        with database.write() as connection:
            note_kind(connection, URL, first.found.shown, first.found.sign)

        second = await find_kind(target, database, ask)

    assert second is not None
    assert (second.found.sign, second.found.is_new) == (first.found.sign, False)
    assert first.found.sign.endswith("gitlab, google, harbor, quay)")
    assert ask.asked == 1


async def test_a_registry_that_is_away_stays_what_it_was_found_to_be(
    tmp_path: Path,
) -> None:
    """A question without an answer takes the place of nothing."""
    settings, target = configured(tmp_path)
    with a_database(tmp_path) as database:
        with database.write() as connection:
            put_registry(connection, registry_entry(settings, target, None), NOW)
            note_kind(connection, URL, "distribution", "it showed none")

        finding = await find_kind(target, database, away)

    assert finding is not None
    assert (finding.found.sign, finding.found.is_new) == ("it showed none", False)


async def test_a_stored_kind_that_this_version_has_not_is_asked_anew(
    tmp_path: Path,
) -> None:
    settings, target = configured(tmp_path)
    with a_database(tmp_path) as database:
        with database.write() as connection:
            put_registry(connection, registry_entry(settings, target, None), NOW)
            note_kind(connection, URL, "of-a-newer-version", "it said so")

        finding = await find_kind(target, database, Showing())

    assert finding is not None
    assert finding.found.is_new


def test_a_kind_that_must_be_told_more_is_not_taken_silently(tmp_path: Path) -> None:
    entry = configured(tmp_path)[1].settings
    assert entry is not None

    finding = suited(entry, "dockerhub", "it says so", is_new=True)

    assert (finding.found.kind, finding.found.shown) == ("distribution", "dockerhub")
    assert finding.settings is entry
    (told,) = told_of(finding.found)
    assert told.code == "kind_not_taken"
    assert "write kind: dockerhub for it (api_url is missing" in told.message


@pytest.mark.parametrize(
    ("keys", "kind", "lacking"),
    [
        ({}, "quay", ""),
        ({"auth": {"username": "u", "password": "c4nary"}}, "distribution", "token"),
    ],
)
def test_a_kind_that_would_find_less_is_not_taken(
    tmp_path: Path, keys: Mapping[str, object], kind: str, lacking: str
) -> None:
    entry = configured(tmp_path, **keys)[1].settings
    assert entry is not None

    finding = suited(entry, "quay", "it says so", is_new=True)

    assert finding.found.kind == kind
    assert lacking in finding.found.advice
    assert "c4nary" not in finding.found.advice
    assert finding.settings.kind == ("quay" if kind == "quay" else "auto")


async def test_an_address_that_is_not_configured_is_not_asked() -> None:
    ask = Showing("quay")

    assert await find_kind(Target("registry.example", URL, None), None, ask) is None
    assert ask.asked == 0
