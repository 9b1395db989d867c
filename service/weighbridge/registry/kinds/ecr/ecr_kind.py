"""Amazon ECR as a kind of registry, with the keys that it has besides those of all.

A registry of ECR is one account in one region. Its host says both, and where its API
is: `ACCOUNT.dkr.ecr.REGION.SUFFIX` has it at `api.ecr.REGION.SUFFIX`. The suffix is the
partition's (botocore, data/partitions.json): amazonaws.com, amazonaws.com.cn in China,
amazonaws.eu in the European Sovereign Cloud, and others.
"""

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from msgspec import Struct
from msgspec.structs import replace
from pydantic import PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config import RegistrySettings
from weighbridge.config.registries.registry_settings import AUTO
from weighbridge.config.value.clashes import Clash, transport_clash, without
from weighbridge.config.value.value_types import RegistryURL
from weighbridge.registry.exchange.kind_signs import KindSigns
from weighbridge.registry.exchange.registry_kind import RegistryKind

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )

_SUFFIXES: Final = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
)
_REGION: Final = r"[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}"
_SUFFIX: Final = "|".join(map(re.escape, _SUFFIXES))
_HOST: Final = re.compile(
    rf"([0-9]{{12}})\.dkr[.-]ecr(-fips)?\.({_REGION})\.({_SUFFIX}|on\.aws)", re.ASCII
)
_DUAL_STACK: Final = "on.aws"
_FIPS_OF_ITS_OWN: Final = "amazonaws.com"
"""Where the host of FIPS begins with `ecr-fips`; elsewhere with `api.ecr-fips`."""
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_ROLE: Final = re.compile(
    r"arn:aws[a-z-]{0,16}:iam::[0-9]{12}:role/[\w+=,.@/-]{1,600}", re.ASCII
)
_KEY_ID: Final = re.compile(r"[A-Z0-9]{16,128}", re.ASCII)
"""IAM API reference, AccessKey, with the capitals that such ids have."""


class ECRPlace(Struct, frozen=True):
    """Which registry of ECR this is.

    account: 12 digits; "" for the one that the credentials belong to
    api_url: `scheme://host[:port]`
    """

    account: str
    region: str
    api_url: str


def place_of(host: str) -> ECRPlace | None:
    """What a host of ECR says; None for another host."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    account, fips, region, suffix = found.groups("")
    start = "ecr" if fips and suffix == _FIPS_OF_ITS_OWN else "api.ecr"
    if suffix == _DUAL_STACK:
        start, suffix = "ecr", "api.aws"
    return ECRPlace(account, region, f"https://{start}{fips}.{region}.{suffix}")


def is_key_id(username: str) -> bool:
    """Whether this is the id of an access key, and no user of a registry."""
    return _KEY_ID.fullmatch(username) is not None


def _text_of(pattern: re.Pattern[str], words: str) -> PlainValidator:
    def check(value: object) -> str:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise PydanticCustomError("invalid_value", "{words}", {"words": words})

    return PlainValidator(check)


Account = Annotated[
    str, _text_of(_ACCOUNT, 'must be 12 digits in quotes, such as "123456789012"')
]
Region = Annotated[
    str,
    _text_of(re.compile(_REGION, re.ASCII), "must be a region, such as eu-central-1"),
]
RoleARN = Annotated[
    str, _text_of(_ROLE, "must be a role, such as arn:aws:iam::123456789012:role/NAME")
]


class ECRSettings(RegistrySettings):
    """An entry of Amazon ECR.

    api_url:  `scheme://host[:port]` of its API; None: as the host says
    account:  whose registry it is; None: as the host says
    region:   for which requests are signed; None: as the host says
    role_arn: a role that is assumed before anything is asked; None: none

    Of `auth`, `username` is the id of an access key and the password its secret.
    """

    host_pattern: ClassVar = _HOST

    api_url: RegistryURL | None = None
    account: Account | None = None
    region: Region | None = None
    role_arn: RoleARN | None = None

    @property
    def place(self) -> ECRPlace:
        """Which registry it is, by its host and by what is said besides."""
        said = place_of(self.host)
        return ECRPlace(
            self.account or (said.account if said else ""),
            self.region or (said.region if said else ""),
            self.api_url or (said.api_url if said else ""),
        )

    @model_validator(mode="after")
    def _says_which_registry_it_is(self) -> Self:
        return without(self, self._api_clash() or self._place_clash() or self._login())

    def _api_clash(self) -> Clash | None:
        if self.api_url is None or self.api_url.startswith("https:"):
            return None
        clash = transport_clash(self.api_url, plain_http=self.plain_http)
        return None if clash is None else replace(clash, key="api_url")

    def _place_clash(self) -> Clash | None:
        said = place_of(self.host)
        if said is None:
            return self._missing()
        for key, given, by_host in (
            ("account", self.account, said.account),
            ("region", self.region, said.region),
        ):
            if given not in (None, by_host):
                words = f"contradicts the url, which says {by_host}"
                return Clash(key, "invalid_value", words, given or "")
        return None

    def _missing(self) -> Clash | None:
        """A token of Amazon's goes to the host of `url`: whoever names another than
        Amazon's must mean it."""
        for key, given in (("api_url", self.api_url), ("region", self.region)):
            if given is None:
                words = (
                    "is missing: the host is not ACCOUNT.dkr.ecr.REGION.amazonaws.com,"
                    f" so say which {key} belongs to it"
                )
                return Clash(key, "missing_key", words)
        return None

    def _login(self) -> Clash | None:
        auth = self.auth
        if self.kind == AUTO:
            return None  # What `docker login` has left opens the registry alone.
        if auth is not None and auth.docker_config is not None:
            words = (
                "has docker_config, whose token ends after 12 hours and does not open"
                " the API: give an access key, or leave `auth` out to use the"
                " credentials of this machine"
            )
            return Clash("auth", "invalid_auth", words)
        if auth is not None and not is_key_id(auth.username or ""):
            words = (
                "has a username that is no id of an access key, such as"
                " AKIAIOSFODNN7EXAMPLE"
            )
            return Clash("auth", "invalid_auth", words)
        return None


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.ecr.ecr_registry import open_ecr

    return open_ecr(endpoint, access)


ECR: Final = RegistryKind(
    settings=ECRSettings,
    open=_open,
    # A layer is pushed to a repository and asked for there (ECR API reference,
    # BatchCheckLayerAvailability), and storage is billed by repository.
    storage_scope="repository",
    # Of a host that only passes on what ECR says, too.
    signs=KindSigns(services=frozenset({"ecr.amazonaws.com"})),
)
