"""A real registry that wants tokens, behind a proxy that is its token server too."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.fault_proxy import FaultProxy, fault_proxy
from support.faults import Answer, Asked
from support.scripted_registry import Request
from support.token_server import SERVICE, TokenIssuer
from support.two_moments import TwoMoments


@dataclass(slots=True)
class TokenServer:
    """Gives tokens, and can take back those that are in use.

    used: those that a request was answered with; `revoked` of them are refused
    """

    issuer: TokenIssuer
    challenge: str
    used: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)

    def revoke(self) -> None:
        self.revoked.update(self.used)

    def give(self, asked: Asked) -> Answer:
        reply = self.issuer.reply(Request(asked.method, asked.target, asked.headers))
        return Answer(reply.status, reply.headers, reply.body)

    def refuse_revoked(self, asked: Asked, answer: Answer) -> Answer:
        shown = asked.headers.get("authorization", "")
        if shown in self.revoked:
            return Answer(401, (("WWW-Authenticate", self.challenge),))
        if answer.status != 401:
            self.used.add(shown)
        return answer


@contextmanager
def a_guarded_registry(
    moments: TwoMoments, folder: Path, *, seed: int = 0
) -> Iterator[tuple[FaultProxy, TokenServer]]:
    """A registry that wants tokens; the proxy before it is its token server too."""
    folder.mkdir()
    issuer = TokenIssuer(folder)
    port = a_free_port()
    with fault_proxy(f"http://127.0.0.1:{port}", seed=seed) as proxy:
        realm = f"{proxy.url}/token"
        challenge = f'Bearer realm="{realm}",service="{SERVICE}"'
        auth = issuer.auth_section(realm)
        with moments.a_copy_of_after(folder / "registry", auth=auth, port=port):
            yield proxy, TokenServer(issuer, challenge)


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
