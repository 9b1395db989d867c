"""A registry never seen before: crawled and stored, and asked by skopeo and wrk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from load.bench.ceiling import ceiling
from load.bench.comparison import Comparison
from load.bench.crawl_run import (
    crawl_command,
    crawled,
    fresh_database,
    note_cost,
)
from load.bench.results import Figure, Result, Tally, ratio
from load.bench.sampled import profile_of
from load.bench.scene import Scene, Server, say
from load.bench.skopeo import sample, skopeo_inspect

_CRAWL: Final = "weighbridge crawl"
_PROCESS: Final = "weighbridge crawl, start-up included"
_CEILING: Final = "wrk, manifest and config in turn"
_ONE: Final = "skopeo inspect, one by one"
_EIGHT: Final = "skopeo inspect, 8 at once"
_BARE_EIGHT: Final = "skopeo inspect --no-tags, 8 at once"
_RATE: Final = "tags/s"
_ABOUT: Final = """\
docker-registry over plain HTTP, everything on one machine. A crawl lists the
repositories and tags, reads manifest and config of every tag over 32 connections,
checks their digests, parses them and stores what they say in SQLite. `wrk` asks for the
same manifests and configs over 32 connections and does nothing with them, just before
and just after each crawl; the share is the crawl's rate over the mean of the two.
`skopeo inspect` is a process a tag: it pings the registry twice, reads manifest and
config, and lists the tags; `--no-tags` leaves the second ping and the list out, so that
it reads what a crawl reads. It stores nothing."""


def run(scene: Scene) -> Result:
    """Rounds of wrk, crawl, wrk, skopeo."""
    server, folder, tally = scene.registry(), scene.work_folder("cold"), Tally()
    chosen = sample(server.paths.references, scene.options.skopeo_tags)
    seconds = scene.options.wrk_s
    ceiling(server.url, server.paths.both, folder, seconds=1)  # files are cached now
    for number in range(scene.options.rounds):
        say(f"cold-crawl: round {number + 1}")
        before = ceiling(server.url, server.paths.both, folder, seconds=seconds)
        done = crawled(server.address, fresh_database(folder), folder, server.tags)
        after = ceiling(server.url, server.paths.both, folder, seconds=seconds)
        rates = before.requests_per_second, after.requests_per_second
        tally.note(_CEILING, _RATE, sum(rates) / 4)  # two runs, two requests a tag
        tally.note(_CRAWL, _RATE, done.rate)
        tally.note(_PROCESS, _RATE, done.tags / done.run.wall_s)
        _note_skopeo(tally, server, chosen, folder)
        note_cost(tally, _CRAWL, done)
        tally.note(f"{_CRAWL}: requests", "a tag", done.requests / done.tags)
    profile = profile_of(crawl_command(server.address, fresh_database(folder)), folder)
    return Result(
        "cold-crawl",
        scene.options.rounds,
        tally.figures + _ratios(tally),
        _notes(server, chosen),
        profile,
    )


def _note_skopeo(
    tally: Tally, server: Server, chosen: Sequence[str], folder: Path
) -> None:
    few = chosen[: max(8, len(chosen) // 2)]
    one = skopeo_inspect(server.address, few, folder, at_once=1)
    tally.note(_ONE, _RATE, len(few) / one.wall_s)
    eight = skopeo_inspect(server.address, chosen, folder, at_once=8)
    tally.note(_EIGHT, _RATE, len(chosen) / eight.wall_s)
    cpu = eight.cpu_s / len(chosen) * 1000
    tally.note(f"{_EIGHT}: CPU", "s per 1,000 tags", cpu)
    bare = skopeo_inspect(
        server.address, chosen, folder, at_once=8, flags=["--no-tags"]
    )
    tally.note(_BARE_EIGHT, _RATE, len(chosen) / bare.wall_s)


def _ratios(tally: Tally) -> tuple[Figure, ...]:
    def rate(name: str) -> Figure:
        return tally.figure(name, _RATE)

    crawl, process = rate(_CRAWL), rate(_PROCESS)
    return (
        ratio(
            "share of what wrk reaches",
            crawl,
            rate(_CEILING),
            sense=">=",
            target=75,
            percent=True,
        ),
        ratio("crawl over skopeo one by one", crawl, rate(_ONE), sense=">=", target=12),
        ratio("crawl over skopeo 8 at once", crawl, rate(_EIGHT), sense=">=", target=6),
        ratio("crawl over skopeo --no-tags 8 at once", crawl, rate(_BARE_EIGHT)),
        ratio("crawl with start-up over skopeo one by one", process, rate(_ONE)),
        ratio("crawl with start-up over skopeo 8 at once", process, rate(_EIGHT)),
    )


def _notes(server: Server, chosen: Sequence[str]) -> tuple[str, ...]:
    return (
        f"{server.tags:,} tags in {server.repositories} repositories, each an image"
        " of its own with 8 layers, 3 of them shared; configs of 5 kB.",
        f"skopeo asked for {len(chosen)} tags spread over the registry (one by one: for"
        " half of them), wrk and the crawl for all.",
        "The rate of a crawl is the one that it reports itself; a process that crawls"
        " once also starts Python and makes its database, which the lines with start-up"
        " count.",
    )


COMPARISON: Final = Comparison("cold-crawl", "A registry seen first", _ABOUT, run)
