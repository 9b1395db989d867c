"""What the configuration of Amazon ECR means."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.errors import ConfigError
from weighbridge.registry.kinds.ecr.ecr_kind import ECRPlace, ECRSettings, place_of

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
        "public.ecr.aws",
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
