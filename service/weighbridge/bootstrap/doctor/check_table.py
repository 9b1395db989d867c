"""The checks of `weighbridge doctor`: a new one is a function, and a line here. Those
of what is served are in `cli.doctor_served`."""

from collections.abc import Sequence
from typing import Final

from weighbridge.bootstrap.doctor.check import DATABASE, Check
from weighbridge.bootstrap.doctor.configuration import (
    CONFIGURATION,
    SECRETS,
    look_at_configuration,
    look_at_secrets,
)
from weighbridge.bootstrap.doctor.database import (
    CLOCK,
    RIGHTS,
    ROOM,
    look_at_clock,
    look_at_database,
    look_at_rights,
    look_at_room,
)
from weighbridge.bootstrap.doctor.messages import (
    CHANNEL,
    WEBHOOK,
    configured_channels,
    configured_webhooks,
    look_at_channel,
    look_at_webhook,
)
from weighbridge.bootstrap.doctor.policies import POLICIES, look_at_policies
from weighbridge.bootstrap.doctor.processes import (
    SCHEDULER,
    WORKERS,
    look_at_scheduler,
    look_at_workers,
)
from weighbridge.bootstrap.doctor.redis import REDIS, look_at_redis
from weighbridge.bootstrap.doctor.registries import (
    REGISTRY,
    configured_registries,
    look_at_registry,
)

CHECKS: Final[Sequence[Check]] = (
    Check(CONFIGURATION, look_at_configuration),
    Check(SECRETS, look_at_secrets),
    Check(DATABASE, look_at_database),
    Check(RIGHTS, look_at_rights, needs_database=True),
    Check(ROOM, look_at_room, needs_database=True),
    Check(CLOCK, look_at_clock, needs_database=True),
    Check(REDIS, look_at_redis),
    Check(WORKERS, look_at_workers),
    Check(SCHEDULER, look_at_scheduler, needs_database=True),
    Check(REGISTRY, look_at_registry, configured_registries),
    Check(WEBHOOK, look_at_webhook, configured_webhooks),
    Check(CHANNEL, look_at_channel, configured_channels),
    Check(POLICIES, look_at_policies, needs_database=True),
)
"""In the order in which they are told."""
