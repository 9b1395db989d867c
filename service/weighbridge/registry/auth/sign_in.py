"""What a registry client asks of whoever knows how it signs in."""

from typing import Protocol

from weighbridge.registry.auth.authorizer import Grant


class SignIn(Protocol):
    """How requests get their `Authorization`: see `auth.Authorizer`, the usual one."""

    async def grant(self, scope: str) -> Grant:
        """What to show with a first attempt."""

    async def answer_challenge(
        self, values: list[str], scope: str, refused: Grant
    ) -> Grant | None:
        """What to show after a 401, or None where that is final."""

    def renewed(self, grant: Grant) -> Grant:
        """The same, or what has replaced it meanwhile."""

    def note_accepted(self, grant: Grant) -> None:
        """A request that showed this was answered."""

    def note_over(self, grant: Grant) -> None:
        """The request that began with this has ended, whatever came of it."""

    async def aclose(self) -> None:
        """End what is under way."""
