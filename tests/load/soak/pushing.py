"""Somebody who pushes: tags of the replica move, and webhooks tell of it until they are
taken, as a registry does."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx

from load.soak.site import SECRET
from support.replica.changes import Change
from support.replica.fleet import Fleet
from support.replica.process import Replica

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_TYPE: Final = "application/vnd.docker.distribution.events.v2+json"
_TRY_AGAIN_S: Final = 0.5


@dataclass(slots=True)
class Pushing:
    """Tags that come or move, so many a minute, to images that their repository has.

    addresses: of the services that are told
    taken:     events that were answered with a 2xx, by address
    """

    replica: Replica
    fleet: Fleet
    addresses: Sequence[str]
    a_minute: float
    chance: random.Random
    taken: Counter[str] = field(default_factory=Counter)
    moved: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Once all that was moved has been told and taken."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        next_at = time.monotonic()
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not self._is_over.is_set():
                change = self._change()
                self.replica.change(change)
                self.moved += 1
                for address in self.addresses:
                    self._tell(client, address, change)
                next_at = max(next_at + 60 / self.a_minute, time.monotonic() - 1)
                self._is_over.wait(max(0.0, next_at - time.monotonic()))

    def _change(self) -> Change:
        """A tag that is there moves, or a new one comes, in any repository."""
        repository = self.chance.randrange(self.fleet.repositories)
        name, tags = self.fleet.names[repository], self.fleet.tags_of(repository)
        like = tags[self.chance.randrange(len(tags))]
        if self.chance.random() < 0.5:
            return Change(name, f"pushed-{self.chance.randrange(20)}", like)
        return Change(name, tags[self.chance.randrange(len(tags))], like)

    def _tell(self, client: httpx.Client, address: str, change: Change) -> None:
        event = {
            "id": f"{address} {self.moved}",
            "timestamp": datetime.now(UTC).isoformat(),
            "action": "push",
            "target": {
                "mediaType": _MANIFEST,
                "repository": change.repository,
                "tag": change.tag,
            },
        }
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": _TYPE}
        url = f"http://{address}/webhooks/distribution"
        while True:
            try:
                answer = client.post(url, json={"events": [event]}, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                self.taken[address] += 1
                return
            time.sleep(_TRY_AGAIN_S)
