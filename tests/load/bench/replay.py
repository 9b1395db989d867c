"""The client's own limit: a crawl of a registry that answers from memory."""

from typing import Final

from load.bench.ceiling import ceiling
from load.bench.comparison import Comparison
from load.bench.crawl_run import crawl_command, crawled, fresh_database, note_cost
from load.bench.results import Result, Tally, ratio
from load.bench.sampled import profile_of
from load.bench.scene import Scene, say

_CRAWL: Final = "weighbridge crawl, stored"
_CEILING: Final = "wrk, manifest and config in turn"
_RATE: Final = "tags/s"
_ABOUT: Final = """\
How fast the crawl could be if the registry were never the slower side: another process
answers over loopback, and has made every answer before the first request. It knows no
files, no digests, no JSON; `wrk` shows that it could give more than a crawl asks.
Sockets, HTTP, digests, parsing and storing in SQLite are all counted. Client and server
share the cores; "per CPU second" is the rate that one core all to itself would allow,
start-up included, and does not depend on the server."""


def run(scene: Scene) -> Result:
    """Rounds of wrk and crawl."""
    options = scene.options
    server, folder = scene.replay(options.replay_tags), scene.work_folder("replay")
    tally = Tally()
    for number in range(options.rounds):
        say(f"replay: round {number + 1}")
        found = ceiling(server.url, server.paths.both, folder, seconds=options.wrk_s)
        tally.note(_CEILING, _RATE, found.requests_per_second / 2)
        done = crawled(server.address, fresh_database(folder), folder, server.tags)
        tally.note(_CRAWL, _RATE, done.rate)
        tally.note(f"{_CRAWL}: per CPU second", "tags", done.tags / done.run.cpu_s)
        note_cost(tally, _CRAWL, done)
    command = crawl_command(server.address, fresh_database(folder))
    profile = profile_of(command, folder)
    rate = tally.figure(_CRAWL, _RATE, sense=">=", target=1_500)
    figures = tuple(
        rate if (f.name, f.unit) == (_CRAWL, _RATE) else f for f in tally.figures
    )
    share = ratio(
        "share of what wrk reaches", rate, tally.figure(_CEILING, _RATE), percent=True
    )
    note = f"{server.tags:,} tags in {server.repositories} repositories."
    return Result("replay", options.rounds, (*figures, share), (note,), profile)


COMPARISON: Final = Comparison("replay", "Answers from memory", _ABOUT, run)
