"""What one small question to a registry has shown."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from weighbridge.domain.registry.rate_limit import RateLimit


class Probe(Struct, frozen=True):
    """The last answer of a registry to `GET /v2/`, or why there is none.

    failure:         the code of the error, "" where it answered as a registry does
    seconds:         from the first step to the answer, sign-in and waiting included
    is_encrypted:    whether it is spoken to over TLS
    signs_in:        whether credentials are configured
    requests:        sent for it, repeats included, by what each was for
    bytes_read:      of bodies
    rate_limit:      as the registry told it last
    certified_until: when the first of the certificates ends that were met, of the
                     registry or its token server; None where there was none
    """

    probed_at: datetime
    failure: str
    seconds: float
    is_encrypted: bool
    signs_in: bool
    requests: Mapping[str, int] = field(default_factory=dict)
    bytes_read: int = 0
    rate_limit: RateLimit | None = None
    certified_until: datetime | None = None
