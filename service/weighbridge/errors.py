"""Every error that Weighbridge raises on purpose, in one tree.

WeighbridgeError            anything that we say to a person
├── UsageError              what was asked cannot be: exit code 2
│   ├── ConfigError         weighbridge.yaml, all faults at once
│   └── InvalidReference    not a registry/repository:tag
├── JobDropped              a message asks for what is not configured
├── DocumentError           a document that a registry served breaks a rule
├── TransportError          no answer that could be used: network, TLS, limits
│   └── AddressRefused      the guard refused where a name or literal leads
├── RegistryError           the registry answered, and the answer is no
│   ├── AuthError           no usable token could be had
│   ├── NotFound            the item is not there
│   ├── RateLimited         429: too much was asked
│   │   └── QuotaSpent      no more manifests for hours, or by our own `keep_quota`
│   └── ListingError        a listing that cannot be followed to its end
├── NotifyError             a channel does not take a message
│   └── PartlyTaken         it took it for some of its readers
└── StoreError              the database cannot do what was asked
    └── StaleFence          somebody else has taken the repository over

`code` is stable: docs/troubleshooting.md explains each one.
"""

UNAUTHORIZED = frozenset({"unauthorized", "denied", "auth_error", "realm_refused"})
"""Codes that say that the credentials are not good enough."""


class WeighbridgeError(Exception):
    """An error with a stable code and a message that tells a person what to do.

    code:        snake_case, stable, documented
    message:     one sentence, printable, without secrets
    hint:        what to try, or ""
    retryable:   whether the same request may succeed later
    retry_after: seconds to wait before that, or None where nothing was said
    """

    code = "error"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after = retry_after
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable


class UsageError(WeighbridgeError):
    """What was asked cannot be done as it was written."""

    code = "usage"


class ConfigError(UsageError):
    """The configuration is wrong; the message has a line for each fault, or for the
    first of many. `faults`: how many there are."""

    code = "config"
    faults = 1


class InvalidReference(UsageError):
    """Not a reference: [registry/]repository[:tag|@digest]."""

    code = "invalid_reference"


class JobDropped(WeighbridgeError):
    """A message asks for what is not configured; nothing is done."""

    code = "job_dropped"


class DocumentError(WeighbridgeError):
    """A manifest, index, config or listing that breaks a rule.

    The item is refused as a whole; what was known of it before stays.

    refused: the digest of the document that will be refused again whenever it is
             served, or None where another attempt may go better
    """

    code = "invalid_document"
    refused: str | None = None


class TransportError(WeighbridgeError):
    """A request that brought no usable answer."""

    code = "transport_error"
    retryable = True


class AddressRefused(TransportError):
    """A name or a literal leads to an address that may not be reached."""

    code = "address_refused"
    retryable = False


class RegistryError(WeighbridgeError):
    """The registry answered, but not with what was asked for."""

    code = "registry_error"


class AuthError(RegistryError):
    """The challenge or the token server is unusable."""

    code = "auth_error"


class NotFound(RegistryError):
    """The registry says that there is no such item."""

    code = "not_found"


class RateLimited(RegistryError):
    """The registry asks us to come back later."""

    code = "rate_limited"
    retryable = True


class QuotaSpent(RateLimited):
    """The registry gives only so many manifests, and these are used up, or kept for
    others. Waiting for more takes hours: the next crawl goes on."""

    code = "quota_spent"
    retryable = False


class ListingError(RegistryError):
    """A listing that cannot be followed to its end; pages before it are good."""

    code = "listing_error"


class NotifyError(WeighbridgeError):
    """A message could not be handed over."""

    code = "notify_error"


class PartlyTaken(NotifyError):
    """Some of a message's readers have it, and would have it twice if it came again."""


class StoreError(WeighbridgeError):
    """The database cannot do what was asked."""

    code = "store_error"


class StaleFence(StoreError):
    """Another process has claimed the repository since; nothing was written."""

    code = "stale_fence"
