"""Amazon ECR as a kind of registry, with the keys that it has besides those of all.

A registry of ECR is one account in one region; an entry is one of them, or each of its
accounts in each of its regions. The host says both, and where the API is:
`ACCOUNT.dkr.ecr.REGION.SUFFIX` has it at `api.ecr.REGION.SUFFIX`. The suffix is the
partition's (botocore, data/partitions.json): amazonaws.com, amazonaws.com.cn in China,
amazonaws.eu in the European Sovereign Cloud, and others.
"""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config import RegistrySettings
from weighbridge.config.kinds import given, made
from weighbridge.config.registries.registry_settings import AUTO
from weighbridge.config.value.clashes import Clash, transport_clash, without
from weighbridge.config.value.value_types import RegistryURL
from weighbridge.config.yaml.reader import Plain
from weighbridge.registry.exchange.kind_signs import KindSigns
from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.ecr.ecr_collector import COLLECTOR

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
PUBLIC_HOST: Final = "public.ecr.aws"
_DUAL_STACK: Final = "on.aws"
_FIPS_OF_ITS_OWN: Final = "amazonaws.com"
"""Where the host of FIPS begins with `ecr-fips`; elsewhere with `api.ecr-fips`."""
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_ROLE: Final = re.compile(
    r"arn:aws[a-z-]{0,16}:iam::([0-9]{12}|\{account\}):role/[\w+=,.@/-]{1,600}",
    re.ASCII,
)
_ANY_ACCOUNT: Final = "{account}"
MOST_PARTS: Final = 1_000
"""Registries of one entry."""
_NAME_CHARACTERS: Final = 63
_SUFFIX_OF: Final = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
)
"""By how a region begins; another is one of amazonaws.com. Of botocore, too."""
_WHOLE_REGION: Final = re.compile(_REGION, re.ASCII)
_KEY_ID: Final = re.compile(r"[A-Z0-9]{16,128}", re.ASCII)
"""IAM API reference, AccessKey, with the capitals that such ids have."""


class ECRPlace(Struct, frozen=True):
    """Which registry of ECR this is.

    account: 12 digits; "" for the one that the credentials belong to
    api_url: `scheme://host[:port]`
    is_public: it is the one that everybody may read, with an API of its own
    """

    account: str
    region: str
    api_url: str
    is_public: bool = False


_PUBLIC: Final = ECRPlace(
    "", "us-east-1", "https://api.ecr-public.us-east-1.amazonaws.com", is_public=True
)
"""Its API is in that region alone (botocore, data/ecr-public)."""


def place_of(host: str) -> ECRPlace | None:
    """What a host of ECR says; None for another host."""
    found = _HOST.fullmatch(host)
    if host == PUBLIC_HOST:
        return _PUBLIC
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


def _first(written: Plain, pattern: re.Pattern[str]) -> str | None:
    """The first text of a list that is one of these."""
    texts = written if isinstance(written, list) else []
    right = (t for t in texts if isinstance(t, str) and pattern.fullmatch(t))
    return next(right, None)


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
    _text_of(_WHOLE_REGION, "must be a region, such as eu-central-1"),
]
RoleARN = Annotated[
    str, _text_of(_ROLE, "must be a role, such as arn:aws:iam::123456789012:role/NAME")
]
Accounts = Annotated[tuple[Account, ...], Field(max_length=MOST_PARTS)]
Regions = Annotated[tuple[Region, ...], Field(max_length=MOST_PARTS)]


def url_of(account: str, region: str) -> str:
    """Of the registry of this account in this region."""
    known = (suffix for start, suffix in _SUFFIX_OF if region.startswith(start))
    return f"https://{account}.dkr.ecr.{region}.{next(known, _FIPS_OF_ITS_OWN)}"


class ECRSettings(RegistrySettings):
    """An entry of Amazon ECR.

    api_url:  `scheme://host[:port]` of its API; None: as the host says
    account:  whose registry it is; None: as the host says
    region:   for which requests are signed; None: as the host says
    accounts, regions: each account in each region is a registry; empty: as the host
              says, or `account` and `region`
    role_arn: a role that is assumed before anything is asked; None: none.
              `{account}` in it is the registry's account

    Of `auth`, `username` is the id of an access key and the password its secret.
    """

    host_pattern: ClassVar = _HOST
    has_ambient: ClassVar = True

    url: RegistryURL
    api_url: RegistryURL | None = None
    account: Account | None = None
    region: Region | None = None
    accounts: Accounts = ()
    regions: Regions = ()
    role_arn: RoleARN | None = None

    @classmethod
    def implied_url(cls, written: Mapping[str, Plain]) -> str | None:
        accounts, regions = written.get("accounts"), written.get("regions")
        if not accounts and not regions:
            return None
        # Where one is missing or wrong, that is told and this is not asked.
        account, region = _first(accounts, _ACCOUNT), _first(regions, _WHOLE_REGION)
        return url_of(account or "000000000000", region or "us-east-1")

    def parts(self) -> tuple[RegistrySettings, ...]:
        if not self.accounts:
            return (self,)
        return tuple(
            self._part(account, region)
            for account, region in product(self.accounts, self.regions)
        )

    def _part(self, account: str, region: str) -> RegistrySettings:
        name, url = f"{self.name}-{account}-{region}", url_of(account, region)
        of_one = {"name": name, "url": url, "accounts": (), "regions": ()}
        part = made(type(self), given(self) | of_one)
        part._entry = self.name
        return part

    @property
    def role(self) -> str | None:
        """The role that is assumed for this registry."""
        if self.role_arn is None:
            return None
        return self.role_arn.replace(_ANY_ACCOUNT, self.place.account)

    @property
    def place(self) -> ECRPlace:
        """Which registry it is, by its host and by what is said besides."""
        said = place_of(self.host)
        return ECRPlace(
            self.account or (said.account if said else ""),
            self.region or (said.region if said else ""),
            self.api_url or (said.api_url if said else ""),
            is_public=said is not None and said.is_public,
        )

    @model_validator(mode="after")
    def _says_which_registry_it_is(self) -> Self:
        many = self.accounts or self.regions
        place = self._parts_clash() if many else self._place_clash()
        return without(self, self._api_clash() or place or self._login())

    def _parts_clash(self) -> Clash | None:
        for key, listed in (("accounts", self.accounts), ("regions", self.regions)):
            if not listed:
                words = "is missing: each of `accounts` is read in each of `regions`"
                return Clash(key, "missing_key", words)
            twice = [value for value, n in Counter(listed).items() if n > 1]
            if twice:
                return Clash(key, "invalid_value", "names it twice", twice[0])
        first = url_of(self.accounts[0], self.regions[0])
        for key, value in (
            ("account", self.account),
            ("region", self.region),
            ("api_url", self.api_url),
            ("url", None if self.url == first else self.url),
        ):
            if value is not None:
                words = "is of one registry: leave it out beside accounts and regions"
                return Clash(key, "invalid_value", words, value)
        if (
            len({url_of("", region).rpartition(region)[2] for region in self.regions})
            > 1
        ):
            words = "are of several partitions, which no credential opens together"
            return Clash("regions", "invalid_value", words)
        if len(self.accounts) * len(self.regions) > MOST_PARTS:
            words = f"are more than {MOST_PARTS:,} registries with `regions`"
            return Clash("accounts", "invalid_value", words)
        longest = max(len(f"-{a}-{r}") for a in self.accounts for r in self.regions)
        if len(self.name) > _NAME_CHARACTERS - longest:
            words = (
                f"must have at most {_NAME_CHARACTERS - longest} characters, as account"
                " and region follow it in the names of its registries"
            )
            return Clash("name", "invalid_name", words, self.name)
        return None

    def _api_clash(self) -> Clash | None:
        if self.api_url is None or self.api_url.startswith("https:"):
            return None
        clash = transport_clash(self.api_url, plain_http=self.plain_http)
        return None if clash is None else replace(clash, key="api_url")

    def _place_clash(self) -> Clash | None:
        said = place_of(self.host)
        if _ANY_ACCOUNT in (self.role_arn or "") and not self.place.account:
            words = f"has {_ANY_ACCOUNT}, and nothing says which account: write account"
            return Clash("role_arn", "invalid_value", words)
        if said is None:
            return self._missing()
        for key, own, by_host in (
            ("account", self.account, said.account),
            ("region", self.region, said.region),
        ):
            if by_host and own not in (None, by_host):
                words = f"contradicts the url, which says {by_host}"
                return Clash(key, "invalid_value", words, own or "")
        return None

    def _missing(self) -> Clash | None:
        """A token of Amazon's goes to the host of `url`: whoever names another than
        Amazon's must mean it."""
        for key, own in (("api_url", self.api_url), ("region", self.region)):
            if own is None:
                words = (
                    "is missing: the host is not ACCOUNT.dkr.ecr.REGION.amazonaws.com,"
                    f" so say which {key} belongs to it"
                )
                return Clash(key, "missing_key", words)
        return None

    def _login(self) -> Clash | None:
        auth = self.auth
        if self.kind == AUTO or self.is_ambient:
            return None  # What `docker login` has left opens the registry alone.
        if auth is not None and (auth.docker_config or auth.token_file):
            key = "docker_config" if auth.docker_config else "token_file"
            words = (
                f"has {key}, whose token ends after 12 hours and does not open"
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
    collector=COLLECTOR,
    # Of a host that only passes on what ECR says, too.
    signs=KindSigns(services=frozenset({"ecr.amazonaws.com"})),
)
