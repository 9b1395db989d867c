"""Scrapes `/metrics/repositories` as Prometheus does, and keeps how long each took."""

import gzip
import http.client
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_PATH: Final = "/metrics/repositories"
_EVERY_S: Final = 0.1
_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Scrapes:
    """Seconds of each, and what the last one said of itself."""

    seconds: tuple[float, ...]
    series: int
    body_bytes: int
    render_s: float

    @property
    def p99_s(self) -> float:
        """99 of 100 were at most so long (nearest rank)."""
        return percentile(self.seconds, 99)


def scrape(port: int, seconds: float) -> Scrapes:
    """One after the other over one connection, ten a second, gzip."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    took: list[float] = []
    ends_at = time.monotonic() + seconds
    try:
        while True:
            began = time.perf_counter()
            body = _get(connection)
            took.append(time.perf_counter() - began)
            if time.monotonic() > ends_at:
                break
            time.sleep(max(0.0, _EVERY_S - took[-1]))
    finally:
        connection.close()
    text = gzip.decompress(body).decode()
    return Scrapes(
        tuple(took),
        int(_value(text, "series")),
        len(body),
        _value(text, "collect_duration_seconds"),
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _get(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", _PATH, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {body[:500]!r}")
    return body


def _value(text: str, name: str) -> float:
    found = re.search(rf"^weighbridge_exporter_{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"no {name}"
    return float(found[1])
