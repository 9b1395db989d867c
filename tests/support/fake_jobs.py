"""A `JobQueue` that only remembers what was asked for."""


class FakeJobs:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        self.asked.append((job, argument))

    def of(self, job: str) -> list[str]:
        """The arguments that this job was asked for with."""
        return [argument for name, argument in self.asked if name == job]
