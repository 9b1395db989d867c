"""A registry 20 ms away: what counts is how many requests are on their way."""

from typing import Final

from load.bench.ceiling import IN_FLIGHT, ceiling
from load.bench.comparison import Comparison
from load.bench.crawl_run import crawl_command, crawled, fresh_database, note_cost
from load.bench.results import Result, Tally, ratio
from load.bench.sampled import profile_of
from load.bench.scene import Scene, say
from load.bench.skopeo import sample, skopeo_inspect

DELAY_S: Final = 0.020
_CRAWL: Final = "weighbridge crawl, stored"
_CEILING: Final = "wrk, 32 in flight"
_POSSIBLE: Final = "32 / (20 ms + the server's own time), in tags"
_EIGHT: Final = "skopeo inspect, 8 at once"
_RATE: Final = "tags/s"
_ABOUT: Final = """\
The registry that answers from memory waits 20 ms before each answer, on a timer of its
own for each, so that any number may wait at the same time. 32 requests in flight can
then give 32 / (0.020 s + the server's own time) requests a second; that time is what
`wrk` with one connection sees beyond the 20 ms. The list of the tags, which nothing
else can overlap, is part of the crawl."""


def run(scene: Scene) -> Result:
    """Rounds of wrk, crawl, wrk, skopeo."""
    options = scene.options
    server = scene.replay(options.replay_tags, DELAY_S * 1000)
    folder, tally = scene.work_folder("delay"), Tally()
    chosen = sample(server.paths.references, options.skopeo_tags)
    paths, seconds = server.paths.both, options.wrk_s
    for number in range(options.rounds):
        say(f"delay: round {number + 1}")
        alone = ceiling(server.url, paths, folder, seconds=seconds, in_flight=1)
        before = ceiling(server.url, paths, folder, seconds=seconds)
        done = crawled(server.address, fresh_database(folder), folder, server.tags)
        after = ceiling(server.url, paths, folder, seconds=seconds)
        own_s = max(0.0, alone.latency_s - DELAY_S)
        tally.note("the server's own time", "ms", own_s * 1000)
        tally.note(_POSSIBLE, _RATE, IN_FLIGHT / (DELAY_S + own_s) / 2)
        rates = before.requests_per_second, after.requests_per_second
        tally.note(_CEILING, _RATE, sum(rates) / 4)
        tally.note(_CRAWL, _RATE, done.rate)
        note_cost(tally, _CRAWL, done)
        eight = skopeo_inspect(server.address, chosen, folder, at_once=8)
        tally.note(_EIGHT, _RATE, len(chosen) / eight.wall_s)
    crawl = tally.figure(_CRAWL, _RATE)
    share = ratio(
        "share of what 32 in flight can give",
        crawl,
        tally.figure(_POSSIBLE, _RATE),
        sense=">=",
        target=85,
        percent=True,
    )
    of_wrk = ratio(
        "share of what wrk reaches", crawl, tally.figure(_CEILING, _RATE), percent=True
    )
    times = ratio("crawl over skopeo 8 at once", crawl, tally.figure(_EIGHT, _RATE))
    command = crawl_command(server.address, fresh_database(folder))
    return Result(
        "delay",
        options.rounds,
        (*tally.figures, share, of_wrk, times),
        (f"{server.tags:,} tags in {server.repositories} repositories.",),
        profile_of(command, folder),
    )


COMPARISON: Final = Comparison("delay", "20 ms away", _ABOUT, run)
