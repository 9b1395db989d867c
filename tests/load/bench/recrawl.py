"""A registry in which nothing changed: crawled again, and asked by stock httpx."""

from pathlib import Path
from typing import Final

from load.bench.comparison import Comparison
from load.bench.crawl_run import crawl_command, crawled, fresh_database, note_cost
from load.bench.measured import measured, module
from load.bench.results import Figure, Result, Tally, ratio
from load.bench.sampled import profile_of
from load.bench.scene import Scene, Server, say

_CRAWL: Final = "weighbridge crawl, again"
_HTTPX: Final = "httpx.AsyncClient, HEAD of each manifest"
_RATE: Final = "tags/s"
_ABOUT: Final = """\
The same registry, crawled a second time into the same database: the lists, and one HEAD
a tag. Stock httpx is one `AsyncClient` as it comes, 32 requests in flight, the same
HEADs with the same `Accept`, the digest looked at and forgotten: it lists nothing,
compares nothing and keeps nothing. The rows "from memory" repeat it against a server
that made its answers beforehand, so that docker-registry's own time does not hide the
clients'. (`wrk` sees no end of an answer to HEAD, so that there is no ceiling here.)"""


def run(scene: Scene) -> Result:
    """Rounds against docker-registry, then from memory."""
    folder, tally = scene.work_folder("again"), Tally()
    places = (
        ("", scene.registry()),
        (" (from memory)", scene.replay(scene.options.replay_tags)),
    )
    databases = {
        where: _crawled_once(folder / f"{n}", server)
        for n, (where, server) in enumerate(places)
    }
    for number in range(scene.options.rounds):
        say(f"recrawl: round {number + 1}")
        for where, server in places:
            _round(tally, where, server, databases[where], folder)
    memory = places[1]
    command = crawl_command(memory[1].address, databases[memory[0]])
    return Result(
        "recrawl",
        scene.options.rounds,
        tally.figures + _ratios(tally),
        (),
        profile_of(command, folder),
    )


def _crawled_once(folder: Path, server: Server) -> str:
    folder.mkdir()
    database = fresh_database(folder)
    crawled(server.address, database, folder, server.tags)
    return database


def _round(
    tally: Tally, where: str, server: Server, database: str, folder: Path
) -> None:
    done = crawled(server.address, database, folder, server.tags)
    tally.note(_CRAWL + where, _RATE, done.rate)
    note_cost(tally, _CRAWL + where, done)
    tally.note(f"{_CRAWL}{where}: requests", "a tag", done.requests / done.tags)
    listing = folder / "heads.json"
    server.paths.save(listing)
    heads = measured(module("httpx_heads", server.url, str(listing)), folder)
    tally.note(_HTTPX + where, _RATE, server.tags / float(heads.output))
    cpu = heads.cpu_s / server.tags * 1000
    tally.note(f"{_HTTPX}{where}: CPU", "s per 1,000 tags", cpu)


def _ratios(tally: Tally) -> tuple[Figure, ...]:
    def rate(name: str) -> Figure:
        return tally.figure(name, _RATE)

    return (
        ratio(
            "crawl again over stock httpx",
            rate(_CRAWL),
            rate(_HTTPX),
            sense=">=",
            target=4,
        ),
        ratio(
            "crawl again over stock httpx (from memory)",
            rate(f"{_CRAWL} (from memory)"),
            rate(f"{_HTTPX} (from memory)"),
        ),
    )


COMPARISON: Final = Comparison("recrawl", "Nothing has changed", _ABOUT, run)
