"""Tries limits on the newest image of every repository that is known."""

from collections.abc import Iterator

from weighbridge.bootstrap.commands.reports import check_registry
from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import Limits
from weighbridge.domain.policy.simulation import (
    SimulatedImage,
    Simulation,
    simulate_limits,
)
from weighbridge.domain.text.globs import fits
from weighbridge.store.reports import newest_images
from weighbridge.store.session import Connection


def simulate_on_all(
    settings: Settings, limits: Limits, *, registry: str | None, pattern: str
) -> Simulation:
    """What the limits would flag now. Reads only.

    pattern: of the repositories' names
    Raises UsageError(unknown_registry), StoreError(no_database).
    """
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        check_registry(connection, registry)
        return simulate_limits(limits, _images(connection, limits, registry, pattern))


def _images(
    connection: Connection, limits: Limits, registry: str | None, pattern: str
) -> Iterator[SimulatedImage]:
    with_layers = limits.max_layer_compressed_bytes is not None
    for image in newest_images(connection, registry, with_layers=with_layers):
        if fits(pattern, image.repository):
            yield image
