"""What a script over stock httpx does to see which tags moved: HEAD of every manifest.

    python -m load.bench.httpx_heads URL PATHS

One `httpx.AsyncClient` as it comes, 32 in flight; nothing is stored or compared.
Prints the seconds that it took.
"""

import asyncio
import sys
import time
from pathlib import Path

import httpx

from load.bench.ceiling import IN_FLIGHT
from load.bench.content import Paths
from weighbridge.domain.image.manifest import ACCEPT


async def heads(url: str, paths: list[str]) -> float:
    """Ask for all of them; seconds."""
    slots = asyncio.Semaphore(IN_FLIGHT)
    began = time.perf_counter()
    async with httpx.AsyncClient(
        base_url=url, headers={"accept": ACCEPT}, trust_env=False
    ) as client:

        async def head(path: str) -> None:
            async with slots:
                answer = await client.head(path)
            answer.raise_for_status()
            assert answer.headers["docker-content-digest"]

        await asyncio.gather(*map(head, paths))
    return time.perf_counter() - began


if __name__ == "__main__":
    print(asyncio.run(heads(sys.argv[1], Paths.load(Path(sys.argv[2])).manifests)))
