"""Questions about repositories that both dashboards ask."""

from dataclasses import dataclass

from dashboard_builders.queries import Selection

_PREFIX = "weighbridge_repository"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes, limits and comparisons of the repositories of a selection."""

    of: Selection

    @property
    def newest(self) -> str:
        return self.of.latest(f"{_PREFIX}_newest_image_compressed_bytes")

    @property
    def newest_at_the_end(self) -> str:
        """The same for every moment: what it is at the end of the shown time."""
        return self.of.at_the_end(f"{_PREFIX}_newest_image_compressed_bytes")

    @property
    def on_disk(self) -> str:
        return self.of.latest(f"{_PREFIX}_newest_image_uncompressed_bytes")

    @property
    def baseline(self) -> str:
        return self.of.latest(f"{_PREFIX}_baseline_image_compressed_bytes")

    @property
    def largest(self) -> str:
        return self.of.latest(f"{_PREFIX}_largest_image_compressed_bytes")

    @property
    def deduplicated(self) -> str:
        return self.of.latest(f"{_PREFIX}_deduplicated_bytes")

    @property
    def exclusive(self) -> str:
        return self.of.latest(f"{_PREFIX}_exclusive_bytes")

    @property
    def limit(self) -> str:
        return self.of.least(f"{_PREFIX}_compressed_limit_bytes")

    @property
    def disk_limit(self) -> str:
        return self.of.least(f"{_PREFIX}_uncompressed_limit_bytes")

    @property
    def growth_limit(self) -> str:
        return self.of.least(f"{_PREFIX}_growth_limit_ratio")

    @property
    def growth_minimum(self) -> str:
        """Growth below it is never too much; 0 where policy says nothing of it."""
        said = self.of.least(f"{_PREFIX}_growth_minimum_bytes")
        return f"({said} or 0 * {self.baseline})"

    @property
    def teams(self) -> str:
        """Whose images these are, as a label."""
        return self._facts("team")

    @property
    def platforms(self) -> str:
        """The platform that the sizes are of, as a label."""
        return self._facts("platform")

    @property
    def growth_bytes(self) -> str:
        return f"{self.newest} - {self.baseline}"

    @property
    def growth(self) -> str:
        return f"{self.newest} / {self.baseline} - 1"

    @property
    def over_limit(self) -> str:
        """What weighs more than policy allows, compressed or on disk."""
        return f"{self.newest} > {self.limit} or {self.on_disk} > {self.disk_limit}"

    @property
    def any_limit(self) -> str:
        return f"{self.limit} or {self.disk_limit}"

    @property
    def has_grown_too_much(self) -> str:
        """1 where the growth is above the ratio that policy allows and not below the
        least bytes that it minds, else 0."""
        return (
            f"(({self.growth}) > bool {self.growth_limit})"
            f" * (({self.growth_bytes}) >= bool {self.growth_minimum})"
        )

    def _facts(self, label: str) -> str:
        info = self.of.of(f"{_PREFIX}_info")
        return f"max by ({', '.join((*self.of.labels, label))}) ({info})"
