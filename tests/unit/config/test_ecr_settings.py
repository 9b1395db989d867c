"""What the configuration of Amazon ECR means."""

from pathlib import Path

import pytest
from botocore.loaders import Loader

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.config.effective import ShownValue, effective_settings
from weighbridge.errors import ConfigError
from weighbridge.registry.kinds.ecr.ecr_kind import (
    ECRPlace,
    ECRSettings,
    place_of,
    url_of,
)

HOST = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
KEY = "auth: {username: AKIAWEIGHBRIDGE00001, password: secret}"


def an_entry(tmp_path: Path, *lines: str, url: str = f"https://{HOST}") -> ECRSettings:
    path = tmp_path / "weighbridge.yaml"
    keys = [f"name: cloud\n    url: {url}", *lines]
    if not any(line.startswith("kind:") for line in lines):
        keys.append("kind: ecr")
    path.write_text("registries:\n  - " + "\n    ".join(keys) + "\n")
    (found,) = load_settings(str(path), {}, KINDS).registries
    assert isinstance(found, ECRSettings)
    return found


@pytest.mark.parametrize(
    ("host", "region", "api"),
    [
        (HOST, "eu-central-1", "api.ecr.eu-central-1.amazonaws.com"),
        (
            "111122223333.dkr.ecr.us-gov-west-1.amazonaws.com",
            "us-gov-west-1",
            "api.ecr.us-gov-west-1.amazonaws.com",
        ),
        (
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
            "api.ecr.cn-north-1.amazonaws.com.cn",
        ),
        (
            "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "eusc-de-east-1",
            "api.ecr.eusc-de-east-1.amazonaws.eu",
        ),
        (
            "111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov",
            "us-iso-east-1",
            "api.ecr.us-iso-east-1.c2s.ic.gov",
        ),
        (
            "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com",
            "us-east-1",
            "ecr-fips.us-east-1.amazonaws.com",
        ),
        (
            "111122223333.dkr-ecr.us-east-1.on.aws",
            "us-east-1",
            "ecr.us-east-1.api.aws",
        ),
        (
            "111122223333.dkr-ecr-fips.us-east-1.on.aws",
            "us-east-1",
            "ecr-fips.us-east-1.api.aws",
        ),
    ],
)
def test_a_host_of_ecr_says_account_region_and_api(
    host: str, region: str, api: str
) -> None:
    assert place_of(host) == ECRPlace("111122223333", region, f"https://{api}")
    assert KINDS.kind_of("auto", f"https://{host}") == "ecr"


@pytest.mark.parametrize(
    "host",
    [
        "public.ecr.aws.evil.example",
        f"{HOST}.evil.example",
        f"evil{HOST}",
        "1111.dkr.ecr.eu-central-1.amazonaws.com",
        "111122223333.dkr.ecr.eu-central-1.amazonaws.evil",
        "api.ecr.eu-central-1.amazonaws.com",
    ],
)
def test_other_hosts_say_nothing(host: str) -> None:
    assert place_of(host) is None
    assert KINDS.kind_of("auto", f"https://{host}") == "distribution"


def test_an_endpoint_of_ones_own_says_the_rest_by_keys(tmp_path: Path) -> None:
    found = an_entry(
        tmp_path,
        'account: "111122223333"',
        "region: eu-west-1",
        "api_url: https://vpce-1.api.ecr.eu-west-1.vpce.amazonaws.com",
        "role_arn: arn:aws:iam::111122223333:role/weighbridge",
        KEY,
        url="https://vpce-1.dkr.ecr.eu-west-1.vpce.amazonaws.com",
    )

    api_url = "https://vpce-1.api.ecr.eu-west-1.vpce.amazonaws.com"
    assert found.place == ECRPlace("111122223333", "eu-west-1", api_url)


def test_an_api_url_replaces_the_one_of_the_host(tmp_path: Path) -> None:
    found = an_entry(tmp_path, "api_url: https://api.example")

    assert found.place.api_url == "https://api.example"
    assert found.place.region == "eu-central-1"


@pytest.mark.parametrize(
    ("line", "url", "key"),
    [
        ("", "https://mirror.example", "api_url"),
        ("api_url: https://api.example", "https://mirror.example", "region"),
        ("region: us-east-1", f"https://{HOST}", "region"),
        ('account: "999999999999"', f"https://{HOST}", "account"),
        ("account: 111122223333", f"https://{HOST}", "account"),
        ("region: Frankfurt", f"https://{HOST}", "region"),
        ("role_arn: weighbridge", f"https://{HOST}", "role_arn"),
        ("api_url: http://api.example", f"https://{HOST}", "api_url"),
        ("auth: {username: AWS, password: x}", f"https://{HOST}", "auth"),
        ("auth: {docker_config: config.json}", f"https://{HOST}", "auth"),
        ("auth: {token_file: config.json}", f"https://{HOST}", "auth"),
    ],
)
def test_what_cannot_work_is_told_at_its_key(
    tmp_path: Path, line: str, url: str, key: str
) -> None:
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(ConfigError) as caught:
        an_entry(tmp_path, *([line] if line else []), url=url)

    assert f"registries[0].{key}" in caught.value.message


def test_what_docker_login_left_still_opens_the_registry_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    found = an_entry(tmp_path, "kind: auto", "auth: {docker_config: config.json}")

    assert found.auth is not None


def load(tmp_path: Path, *entries: str) -> Settings:
    path = tmp_path / "weighbridge.yaml"
    path.write_text("registries:\n" + "\n".join(f"  - {e}" for e in entries) + "\n")
    return load_settings(str(path), {}, KINDS)


ACCOUNTS = 'accounts: ["111122223333", "444455556666"]'
MANY = f"{{name: cloud, kind: ecr, {ACCOUNTS}, regions: [eu-west-1, us-east-1]}}"


def test_each_account_in_each_region_is_a_registry(tmp_path: Path) -> None:
    settings = load(tmp_path, MANY)

    places = [
        (account, region)
        for account in ("111122223333", "444455556666")
        for region in ("eu-west-1", "us-east-1")
    ]
    assert [r.name for r in settings.registries] == [
        f"cloud-{a}-{r}" for a, r in places
    ]
    for found, (account, region) in zip(settings.registries, places, strict=True):
        assert isinstance(found, ECRSettings)
        assert found.url == f"https://{account}.dkr.ecr.{region}.amazonaws.com"
        assert (found.place.account, found.place.region) == (account, region)
        assert (found.kind, found.entry, found.role) == ("ecr", "cloud", None)
    assert settings.entries == {"cloud"}
    assert settings.parts_of("cloud") == settings.registries
    assert settings.find_registry("cloud") is None


def test_the_kind_need_not_be_written_beside_accounts(tmp_path: Path) -> None:
    settings = load(tmp_path, MANY.replace("kind: ecr, ", ""))

    assert len(settings.registries) == 4
    assert all(isinstance(found, ECRSettings) for found in settings.registries)


@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
        ("us-isof-south-1", "csp.hci.ic.gov"),
        ("eu-isoe-west-1", "cloud.adc-e.uk"),
    ],
)
def test_a_region_says_its_partition(tmp_path: Path, region: str, suffix: str) -> None:
    (found,) = load(
        tmp_path,
        f'{{name: c, kind: ecr, accounts: ["111122223333"], regions: [{region}]}}',
    ).registries

    assert found.url == f"https://111122223333.dkr.ecr.{region}.{suffix}"
    assert place_of(found.host) is not None


def test_every_region_that_botocore_knows_leads_to_its_partition() -> None:
    for partition in Loader().load_data("partitions")["partitions"]:
        suffix = partition["outputs"]["dnsSuffix"]
        for region in partition["regions"]:
            if "global" not in region:
                host = f"111122223333.dkr.ecr.{region}.{suffix}"
                assert url_of("111122223333", region) == f"https://{host}"


def test_a_role_has_the_account_of_its_registry(tmp_path: Path) -> None:
    role = '"arn:aws:iam::{account}:role/weighbridge"'
    settings = load(tmp_path, MANY.replace("kind: ecr", f"kind: ecr, role_arn: {role}"))
    single = an_entry(tmp_path, f"role_arn: {role}")

    roles = [r.role for r in settings.registries if isinstance(r, ECRSettings)]
    assert roles == [
        f"arn:aws:iam::{account}:role/weighbridge"
        for account in ("111122223333",) * 2 + ("444455556666",) * 2
    ]
    assert single.role == "arn:aws:iam::111122223333:role/weighbridge"


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ('accounts: ["111122223333"]', "regions", "is missing"),
        ("regions: [eu-west-1]", "accounts", "is missing"),
        ("accounts: [], regions: []", "url", "is missing"),
        (f"{ACCOUNTS}, regions: [Frankfurt]", "regions[0]", "must be a region"),
        ("accounts: [12], regions: [eu-west-1]", "accounts[0]", "must be 12 digits"),
        (f"{ACCOUNTS}, regions: [eu-west-1, eu-west-1]", "regions", "names it twice"),
        (f"{ACCOUNTS}, regions: [eu-west-1, cn-north-1]", "regions", "partitions"),
        (
            f'{ACCOUNTS}, regions: [eu-west-1], account: "111122223333"',
            "account",
            "leave it out",
        ),
        (
            f"{ACCOUNTS}, regions: [eu-west-1], region: eu-west-1",
            "region",
            "leave it out",
        ),
        (
            f"{ACCOUNTS}, regions: [eu-west-1], url: https://{HOST}",
            "url",
            "leave it out",
        ),
        (
            f"{ACCOUNTS}, regions: [eu-west-1], api_url: https://api.example",
            "api_url",
            "leave it out",
        ),
    ],
)
def test_what_goes_with_no_list_is_told_at_its_key(
    tmp_path: Path, given: str, key: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"{{name: cloud, kind: ecr, {given}}}")

    assert f"registries[0].{key}" in caught.value.message
    assert words in caught.value.message


def test_a_name_that_would_grow_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at most 40 characters"):
        load(tmp_path, MANY.replace("cloud", "c" * 41))

    assert len(load(tmp_path, MANY.replace("cloud", "c" * 40)).registries) == 4


@pytest.mark.parametrize("is_first", [True, False])
def test_no_other_entry_may_have_the_name_of_a_part(
    tmp_path: Path, is_first: bool
) -> None:
    other = "{name: cloud-444455556666-us-east-1, url: https://registry.example}"

    with pytest.raises(ConfigError, match="rename one"):
        load(tmp_path, *([other, MANY] if is_first else [MANY, other]))


def test_a_part_that_is_configured_by_its_address_too_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            tmp_path,
            MANY,
            "{name: x, url: https://111122223333.dkr.ecr.us-east-1.amazonaws.com}",
        )

    assert caught.value.code == "overlapping_registries"


def test_a_webhook_speaks_for_a_part_and_not_for_all(tmp_path: Path) -> None:
    def webhooks(name: str) -> str:
        return f"""webhooks:
  - {{source: ecr, registry: {name}, secret: {"s" * 32}}}"""

    part = "cloud-444455556666-us-east-1"
    path = tmp_path / "weighbridge.yaml"
    path.write_text(f"registries:\n  - {MANY}\n{webhooks(part)}\n")
    assert load_settings(str(path), {}, KINDS).webhooks[0].registry == part

    path.write_text(f"registries:\n  - {MANY}\n{webhooks('cloud')}\n")
    with pytest.raises(ConfigError, match=part):
        load_settings(str(path), {}, KINDS)


def test_accounts_are_of_ecr_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is for kind: ecr alone"):
        load(
            tmp_path,
            f"{{name: x, kind: harbor, url: https://x.example, {ACCOUNTS}}}",
        )


def test_what_is_shown_is_the_entry_as_it_is_written(tmp_path: Path) -> None:
    load(tmp_path, MANY)

    shown = effective_settings(str(tmp_path / "weighbridge.yaml"), {}, KINDS)

    assert isinstance(shown, dict)
    entries = shown["registries"]
    assert isinstance(entries, list)
    (entry,) = entries
    assert isinstance(entry, dict)
    assert isinstance(entry["regions"], ShownValue)
    assert entry["regions"].value == ["eu-west-1", "us-east-1"]


def test_the_public_registry_has_its_api_in_one_region(tmp_path: Path) -> None:
    found = an_entry(tmp_path, KEY, url="https://public.ecr.aws")

    api = "https://api.ecr-public.us-east-1.amazonaws.com"
    assert found.place == ECRPlace("", "us-east-1", api, is_public=True)


def test_the_public_registry_is_a_plain_one_unless_the_kind_is_written() -> None:
    """Most who read it have no account, and nobody is asked for a key of theirs."""
    assert KINDS.kind_of("auto", "https://public.ecr.aws") == "distribution"
