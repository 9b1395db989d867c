"""What a person waits for: `--help`, one image weighed, one tag crawled."""

from typing import Final

from load.bench.comparison import Comparison
from load.bench.measured import measured, weighbridge
from load.bench.results import Result, Tally, ratio
from load.bench.scene import Scene, say

_HELP: Final = "weighbridge --help"
_INSPECT: Final = "weighbridge inspect"
_CRAWL: Final = "weighbridge crawl, one unchanged tag"
_PEER: Final = "skopeo inspect --config"
_RUNS: Final = 3
_ABOUT: Final = """\
Whole processes, started with a warm file cache, three in each round. `weighbridge
inspect` reads manifest and config and the last bytes of each layer, and prints a table;
`skopeo inspect --config` reads manifest and config and prints the config. skopeo is
compiled; we start Python. `weighbridge crawl` is of a registry of one tag that is in
the database already: nearly all of it is start-up."""


def run(scene: Scene) -> Result:
    """Rounds of the commands."""
    server, folder, tally = scene.registry(), scene.work_folder("startup"), Tally()
    image = f"{server.address}/{server.paths.references[0]}"
    one = scene.replay(1, repositories=1).address
    database = f"sqlite:///{folder / 'one.db'}"
    commands = {
        _HELP: weighbridge("--help"),
        _INSPECT: weighbridge("inspect", image),
        _CRAWL: weighbridge("crawl", one, "--no-measure", "--database", database),
        _PEER: [
            *("skopeo", "inspect", "--config", "--tls-verify=false"),
            f"docker://{image}",
        ],
    }
    for command in commands.values():
        measured(command, folder)
    for number in range(scene.options.rounds):
        say(f"start-up: round {number + 1}")
        for name, command in commands.items():
            runs = [measured(command, folder) for _ in range(_RUNS)]
            tally.note(name, "s", sorted(run.wall_s for run in runs)[_RUNS // 2])
            cpu = sorted(run.cpu_s for run in runs)[_RUNS // 2]
            tally.note(f"{name}: CPU", "s", cpu)
    inspect = tally.figure(_INSPECT, "s", sense="<=", target=0.8)
    figures = [f if f.name != _INSPECT else inspect for f in tally.figures]
    times = ratio(f"{_INSPECT} over {_PEER}", inspect, tally.figure(_PEER, "s"))
    return Result("start-up", scene.options.rounds, (*figures, times))


COMPARISON: Final = Comparison("start-up", "Starting", _ABOUT, run)
