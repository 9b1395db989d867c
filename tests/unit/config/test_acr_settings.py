"""What is a registry of Azure by its host."""

import json
from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.errors import ConfigError


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("contoso.azurecr.io", "acr"),
        ("contoso-d5f7.azurecr.io", "acr"),
        ("contoso.azurecr.cn", "acr"),
        ("contoso.azurecr.us", "acr"),
        ("azurecr.io", None),
        ("contoso.azurecr.io.example.com", None),
        ("contoso.westeurope.data.azurecr.io", None),
        ("contoso.azurecr.com", None),
    ],
)
def test_a_registry_of_azure_is_known_by_its_whole_host(
    host: str, kind: str | None
) -> None:
    assert KINDS.kind_of_host(host) == kind


def load(folder: Path, url: str, auth: object) -> None:
    path = folder / "weighbridge.yaml"
    entry = {"name": "azure", "kind": "acr", "url": url, "auth": auth}
    path.write_text(json.dumps({"registries": [entry]}))
    load_settings(str(path), {}, KINDS)


def test_no_other_host_is_shown_the_token_of_this_machine(tmp_path: Path) -> None:
    load(tmp_path, "https://contoso.azurecr.us", "ambient")
    load(tmp_path, "https://mirror.example", {"username": "a", "password": "b"})

    with pytest.raises(ConfigError) as refused:
        load(tmp_path, "https://contoso.azurecr.io.example", "ambient")

    assert "registries[0].auth" in refused.value.message
    assert "cannot be ambient at this host" in refused.value.message
