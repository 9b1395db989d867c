"""What is a registry of Azure by its host."""

import pytest

from weighbridge.bootstrap.kinds import KINDS


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
