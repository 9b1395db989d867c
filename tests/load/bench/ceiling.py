"""What a server can give: `wrk` asks for the same URLs and does nothing else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from load.bench.measured import measured
from weighbridge.domain.image.manifest import ACCEPT

IN_FLIGHT: Final = 32
_SCRIPT: Final = """
local requests, at = {}, 0
init = function(args)
  local accept = args[2]
  for path in io.lines(args[1]) do
    local headers = {}
    if path:find("/manifests/", 1, true) then headers["Accept"] = accept end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency, _)
  local bad = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests": %d, "us": %d, "latency_us": %.1f, "bad": %d}\\n',
    summary.requests, summary.duration, latency.mean,
    bad.connect + bad.read + bad.write + bad.status + bad.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What was reached.

    latency_s: mean time of one request
    """

    requests_per_second: float
    latency_s: float


def ceiling(
    url: str,
    paths: Sequence[str],
    folder: Path,
    *,
    seconds: int = 3,
    in_flight: int = IN_FLIGHT,
) -> Ceiling:
    """GET the paths in turn, over kept connections, for so many seconds.

    (wrk waits for a body after HEAD, too, so that it cannot be asked for that.)
    """
    script, listing = folder / "wrk.lua", folder / "wrk.txt"
    script.write_text(_SCRIPT)
    listing.write_text("".join(f"{path}\n" for path in paths))
    run = measured(
        [
            *("wrk", "-t1", f"-c{in_flight}", f"-d{seconds}s", "-s", str(script)),
            *(url, "--", str(listing), ACCEPT),
        ],
        folder,
    )
    line = next(x for x in run.output.splitlines() if x.startswith(b"RESULT "))
    found = json.loads(line.removeprefix(b"RESULT "))
    if found["bad"]:
        raise RuntimeError(f"wrk had {found['bad']} bad answers")
    rate = found["requests"] / found["us"] * 1e6
    return Ceiling(rate, found["latency_us"] / 1e6)
