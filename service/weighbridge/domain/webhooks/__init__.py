"""What registries tell by webhooks: one small adapter for each that sends.

`reading` chooses the adapter and is all that others call; `told` has the values,
`fields` what the adapters share. Nothing here says who sent a body: that is known
before any of it is read.
"""

from weighbridge.domain.webhooks.reading import read_body
from weighbridge.domain.webhooks.told import Reason, Told

__all__ = ["Reason", "Told", "read_body"]
