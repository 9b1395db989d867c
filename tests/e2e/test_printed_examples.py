"""The examples of the pages are what the commands print and what the API answers.

All of them are of one demo: of `weighbridge up --demo` in a process of its own, of its
registry on a port as wide as the usual one, or of copies of their databases.
"""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Set
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import yaml
from sqlalchemy import delete

from support.message_sink import message_sink
from support.outbox_world import OutboxWorld
from support.page_examples import Block, blocks_for
from support.stored_database import load, stored_sql
from support.troubled_demo import troubled_demo
from support.typed_commands import (
    EXIT_CODE,
    Typed,
    comparable,
    lines_found,
    shown_by,
    typed_in,
)
from support.wait import wait_in_thread
from support.weighbridge_up import Up, weighbridge_up
from weighbridge.cli.main import run
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content
from weighbridge.domain.access.roles import digest_of, new_secret
from weighbridge.domain.message.grouping import Route
from weighbridge.ports.job_names import TICK
from weighbridge.store.leases.jobs import Job, note_done
from weighbridge.store.models import jobs
from weighbridge.store.session import open_database

USUAL: Final = "127.0.0.1:5080"
SERVED: Final = "127.0.0.1:8078"


def four_digits() -> RunningDemo:
    """The demo's registry, at an address as long as the usual one."""
    for port in range(5081, 9999):
        with suppress(OSError):
            return RunningDemo(demo_content(), port)
    raise OSError("no port of four digits is free")


@dataclass(frozen=True, slots=True)
class Worlds:
    """What the examples are of.

    registry: the address of the demo's registry
    folder:   has demo.db, as `up` keeps it, and weights.db, as `crawl` leaves it
    log:      what `up` said
    """

    registry: str
    up: Up
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "up/log").read_text(encoding="utf-8")

    def here(self, text: str) -> str:
        """An example's text with the addresses of these worlds."""
        year = datetime.now(UTC).year
        text = text.replace("2027-01-01", f"{year + 1}-01-01")
        text = text.replace("2026-12-31", f"{year}-12-31")
        return text.replace(USUAL, self.registry).replace(SERVED, self.up.address)

    def configure(self, **keys: object) -> None:
        Path("weighbridge.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")

    def demo_as(self, name: str) -> None:
        """The demo's registry is configured under this name."""
        url = f"http://{self.registry}"
        self.configure(
            database_url="sqlite:///weights.db",
            registries=[{"name": name, "url": url}],
        )


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    folder = tmp_path_factory.mktemp("worlds")
    running = four_digits()
    with closing(running), weighbridge_up(folder / "up", "", "--demo") as up:
        found = Worlds(running.url.removeprefix("http://"), up, folder)
        wait_in_thread(lambda: "registry listed" in found.log, "the first crawl")
        with (
            closing(sqlite3.connect(folder / "up/w.db")) as kept,
            closing(sqlite3.connect(folder / "demo.db")) as copy,
        ):
            kept.backup(copy)
        assert run(["crawl", found.registry, "--database", f"{folder}/weights.db"]) == 0
        yield found


@pytest.fixture
def here(worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worlds:
    """The worlds, with copies of their databases in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("demo.db", "weights.db"):
        shutil.copy(worlds.folder / name, name)
    return worlds


# What has to be there before a command is typed


def nothing_yet(worlds: Worlds) -> None:
    Path("weights.db").unlink()


def damaged(worlds: Worlds) -> None:
    shutil.copy("weights.db", "damaged.db")
    with closing(sqlite3.connect("damaged.db", isolation_level=None)) as database:
        database.execute("UPDATE storage_scopes SET shared_bytes = 9")


def backed_up(worlds: Worlds) -> None:
    assert run(["db", "backup", "monday.db", "--database", "weights.db"]) == 0


def older(worlds: Worlds) -> None:
    load(
        "sqlite:///older.db", "sqlite", stored_sql("sqlite", "0006").read_text("utf-8")
    )


def local(worlds: Worlds) -> None:
    """A registry `local` that a scheduler has looked after."""
    worlds.demo_as("local")
    assert run(["crawl"]) == 0
    now = datetime.now(UTC)
    with (
        closing(open_database("sqlite:///weights.db")) as database,
        database.write() as connection,
    ):
        connection.execute(delete(jobs))
        note_done(connection, Job(TICK), now - timedelta(seconds=2))


def demo(worlds: Worlds) -> None:
    worlds.demo_as("demo")


def waived(worlds: Worlds) -> None:
    until = f"{datetime.now(UTC).year}-12-31"
    words = "waive create demo/ml/* --limit max_compressed --database demo.db"
    reason = ["--reason", "CUDA needs both"]
    assert run([*words.split(), *reason, "--until", until]) == 0


def with_policies(worlds: Worlds) -> None:
    worlds.configure(
        registries=[{"name": "harbor", "url": "https://harbor.example"}],
        policy_files=["policies.d/*.yaml"],
    )
    Path("policies.d").mkdir()
    Path("policies.d/shop.yaml").write_text(
        "policies:\n  - name: shop\n    match: {repository: 'shop/*'}\n"
        "    team: shop\n    max_compressed: 500MB\n"
    )
    Path("policies.d/zz-everything.yaml").write_text(
        "policies:\n  - name: everything\n    max_growth: 25%\n    min_growth: 50MB\n"
    )


def with_channels(worlds: Worlds) -> None:
    hook = {"name": "hook", "kind": "webhook", "url": "http://10.0.0.7/hook"}
    worlds.configure(
        database_url="sqlite:///weights.db",
        channels=[
            {"name": "ops", "kind": "slack", "url": "https://hooks.slack.com/s/T0"},
            hook | {"allow_private": True, "secret": "whsec_" + "MfKQ" * 8},
        ],
        routes=[{"channel": "ops"}, {"channel": "hook"}],
    )


def with_messages(worlds: Worlds) -> None:
    with_channels(worlds)
    now = datetime.now(UTC)
    ops, hook = (Route(name, group_by=("policy",)) for name in ("ops", "hook"))
    with closing(open_database("sqlite:///weights.db")) as database:
        outbox = OutboxWorld(database, [ops])
        outbox.opened(now=now - timedelta(seconds=50))
        outbox.sent(now - timedelta(seconds=40))
        outbox.opened(now=now - timedelta(seconds=40))
        old = now - timedelta(days=2)
        outbox.opened(now=old, routes=[hook])
        outbox.sent(old, "hook")
        for number in range(3):
            outbox.opened(
                now=now - timedelta(minutes=12), routes=[hook], policy=f"p{number}"
            )
        at = now - timedelta(minutes=12)
        while at < now:
            outbox.failed(at, "hook", code="channel_busy")
            at = outbox.next_due(at, "hook") or now


def one_registry(worlds: Worlds) -> None:
    worlds.configure(
        registries=[
            {"name": "harbor", "url": "https://harbor.example", "kind": "harbor"}
        ],
        bases={"repositories": ["harbor/base"]},
    )


def with_an_address(worlds: Worlds) -> None:
    lines = [*["#"] * 7, "web:", "  bind: 127.0.0.1:9000", ""]
    Path("weighbridge.yaml").write_text("\n".join(lines), encoding="utf-8")


def with_a_webhook(worlds: Worlds) -> None:
    worlds.configure(
        registries=[{"name": "harbor", "url": "https://harbor.example"}],
        webhooks=[{"source": "harbor", "registry": "harbor", "secret": "x" * 32}],
        web={"external_url": "https://weighbridge.example"},
    )


def with_tokens(worlds: Worlds) -> None:
    worlds.demo_as("demo")
    assert run(["token", "create", "--role", "read"]) == 0


def with_a_token_that_expires(worlds: Worlds) -> None:
    with_tokens(worlds)
    name = ["--name", "prometheus", "--expires", "90d"]
    assert run(["token", "create", "--role", "metrics", *name]) == 0


def with_a_revoked_token(worlds: Worlds) -> None:
    with_a_token_that_expires(worlds)
    with closing(sqlite3.connect("weights.db", isolation_level=None)) as database:
        database.execute("UPDATE tokens SET last_used_at = created_at WHERE id = 1")
    assert run(["token", "revoke", "read-1"]) == 0


def with_token_files(worlds: Worlds) -> None:
    worlds.demo_as("demo")
    Path("tokens").mkdir()
    for name, role in (("people", "read"), ("prometheus", "metrics")):
        secret = new_secret(role, digest_of(name)).reveal()
        Path("tokens", name).write_text(secret, encoding="utf-8")


SCENES: Final[dict[str, Callable[[Worlds], None]]] = {
    "crawl 127.0.0.1:5080 ": nothing_yet,
    "queue": local,
    "waive list": waived,
    "policy explain": with_policies,
    "notify list": with_channels,
    "notify status": with_messages,
    "config check": one_registry,
    "config show": with_an_address,
    "registry check": demo,
    "db verify --database damaged.db": damaged,
    "db upgrade --plan": older,
    "db restore": backed_up,
    "db recount": damaged,
    "webhook url": with_a_webhook,
    "token create --role metrics": demo,
    "token rotate": with_a_token_that_expires,
    "token accept": with_token_files,
    "token list": with_a_revoked_token,
    "audit": with_tokens,
    "token revoke": with_tokens,
}
"""By what the first command of a block begins with."""


def set_the_scene(first: Typed, worlds: Worlds) -> None:
    for words, scene in SCENES.items():
        if first.line.startswith(f"weighbridge {words}"):
            scene(worlds)


ALONE: Final = (
    "weighbridge up",
    "weighbridge notify test",
    "weighbridge crawl --config",
)
"""What needs a server of its own, and has a test of its own."""


def console(*first: str, page: str = "commands.md") -> list[Block]:
    """Blocks of a page by what their first command begins with; "": all of it."""
    found = [b for b in blocks_for("console") if b.page == page]
    return [b for b in found if typed_in(b.text)[0].line.startswith(first)]


def compare(block: Block, worlds: Worlds, *, in_order: bool = True) -> None:
    """Run the commands of a block. It shows their output, and after a failure the exit
    code. in_order: else what is listed may stand in another order
    """
    typed = typed_in(block.text)
    for one, following in zip(typed, [*typed[1:], None], strict=True):
        if one.line == EXIT_CODE:
            continue
        if one.line.startswith("weighbridge up"):
            # It would run on. Its words are understood before its help is printed.
            assert shown_by(Typed(f"{one.line} --help", "")).exit_code == 0
            continue
        shown = shown_by(Typed(worlds.here(one.line), one.shown))
        if "...\n" in one.shown:
            assert list(lines_found(one.shown, shown.text)) == []
        else:
            expected, found = comparable(worlds.here(one.shown), shown.text)
            if not in_order:
                expected, found = words_of(expected), words_of(found)
            assert expected == found
        has_code = following is not None and following.line == EXIT_CODE
        code = int(following.shown) if following and has_code else 0
        assert shown.exit_code == code, shown.text


def words_of(text: str) -> str:
    """Its words by the alphabet, with a line for each."""
    return "\n".join(sorted(text.replace(",", " ").split()))


@pytest.mark.parametrize(
    "block",
    [
        *(b for b in console("") if b not in console(*ALONE)),
        *console("", page="history-and-compare.md"),
    ],
    ids=lambda block: block.name,
)
def test_a_page_shows_what_is_printed(
    block: Block, here: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weights.db")
    for words, scene in SCENES.items():
        if typed_in(block.text)[0].line.startswith(f"weighbridge {words}"):
            scene(here)

    compare(block, here)


def test_the_page_shows_what_becomes_of_each_channel(here: Worlds) -> None:
    (block,) = console("weighbridge notify test")
    with message_sink() as ops, message_sink() as hook:
        ops.fault, ops.says = lambda: 404, b"no_service"
        channels = [
            {"name": name, "kind": kind, "url": sink.url, "allow_private": True}
            for name, kind, sink in (("ops", "slack", ops), ("hook", "webhook", hook))
        ]
        here.configure(channels=channels)

        compare(block, here)


def test_the_page_shows_a_crawl_of_a_registry_in_trouble(here: Worlds) -> None:
    (block,) = console("weighbridge crawl --config")
    with troubled_demo() as registry:
        url = f"http://{registry.address}"
        entry = {"name": "harbor", "url": url, "kind": "distribution"}
        here.configure(
            database_url="sqlite:///harbor.db",
            registries=[entry],
            bases={"repositories": ["harbor/none"]},
        )
        assert run(["crawl"]) == 0
        registry.is_troubled = True

        text = block.text.replace("127.0.0.1:5094", registry.address)
        # What was crawled at one time may come in any order.
        compare(replace(block, text=text), here, in_order=False)


def test_the_page_shows_what_up_says_when_it_starts(worlds: Worlds) -> None:
    running, _ = console("weighbridge up")
    (one,) = typed_in(running.text)

    said = worlds.log.partition("\n{")[0].splitlines()

    lines = [line for line in said if not line.startswith("note ")]
    assert lines[0] == "keeps   sqlite:///w.db"  # it is kept for the other tests
    assert lines[1:-2] == one.shown.splitlines()[1:-2]
    assert re.sub(r":\d+/", ":5080/", lines[-2]) == one.shown.splitlines()[-2]
    assert lines[-1] == worlds.here(one.shown.splitlines()[-1])


def test_the_page_shows_what_a_second_one_says(worlds: Worlds) -> None:
    _, taken = console("weighbridge up")
    one = typed_in(taken.text)[0]

    words = typed_in(worlds.here(taken.text))[0].words
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    expected, found = comparable(worlds.here(one.shown), done.stderr)
    assert expected == found
    assert done.returncode == 2


def test_the_page_on_configuration_shows_what_its_check_prints(here: Worlds) -> None:
    found = console("", page="configuration.md")
    texts = [b.text for b in blocks_for("yaml") if b.heading == found[0].heading]
    (faults,) = texts

    Path("weighbridge.yaml").write_text(faults, encoding="utf-8")
    compare(found[0], here)
    one_registry(here)
    compare(found[1], here)
    assert len(found) == 2


# Answers


def parts_of(answer: object, keys: Set[str]) -> Iterator[object]:
    """What of an answer has just these keys: it, or things in it."""
    if isinstance(answer, dict):
        if answer.keys() == keys:
            yield answer
        answer = list(answer.values())
    if isinstance(answer, list):
        for item in answer:
            yield from parts_of(item, keys)


@pytest.mark.parametrize("block", blocks_for("json"), ids=lambda block: block.name)
def test_a_page_shows_what_is_answered(block: Block, worlds: Worlds) -> None:
    shown = json.loads(block.text)
    if "event" in shown:
        lines = [json.loads(x) for x in worlds.log.splitlines() if x.startswith("{")]
        (found,) = [line for line in lines if line["event"] == shown["event"]]
        assert found | {"time": shown["time"]} == shown
        return
    *_, path = re.findall(r"`GET (/api/v1/[^`]+)`", block.before)

    answer = json.loads(worlds.up.get(path))

    assert shown in parts_of(answer, shown.keys())
