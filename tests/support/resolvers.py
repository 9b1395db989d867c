"""Resolvers that answer from a script, and remember what they were asked."""

from collections.abc import Sequence


class ScriptedResolver:
    """Gives the listed answers in turn, and the last one for ever after."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
