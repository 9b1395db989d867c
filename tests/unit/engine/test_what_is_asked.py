"""A message makes a worker ask what is configured, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.sites import configured_targets, site_of
from weighbridge.config import RegistrySettings, RepositorySettings, load_settings
from weighbridge.engine.context.parts import asked_registry, asked_repository
from weighbridge.errors import JobDropped

SETTINGS = load_settings(None, {}, KINDS).model_copy(
    update={
        "registries": (
            RegistrySettings(
                name="hub",
                url="https://registry.example",
                repositories=RepositorySettings(include=("acme/*",)),
            ),
        )
    }
)
SITES = {t.name: site_of(SETTINGS, t) for t in configured_targets(SETTINGS)}.get


def test_a_configured_repository_is_looked_at_where_it_is_configured() -> None:
    asked = asked_repository(SITES, "hub/acme/app")

    assert asked.site.registered.url == "https://registry.example"
    assert asked.repository == "acme/app"


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("evil/acme/app", "unknown_registry"),
        ("http://169.254.169.254/acme/app", "unknown_registry"),
        ("", "unknown_registry"),
        ("hub", "outside_filter"),
        ("hub/", "outside_filter"),
        ("hub/library/python", "outside_filter"),
        ("hub/acme/../../v2", "outside_filter"),
        ("hub/acme/app?x=1", "outside_filter"),
    ],
)
def test_broker_003_anything_else_is_dropped(argument: str, code: str) -> None:
    with pytest.raises(JobDropped) as dropped:
        asked_repository(SITES, argument)

    assert dropped.value.code == code


@given(st.text(max_size=60))
def test_broker_003_no_text_leads_to_another_host(text: str) -> None:
    try:
        asked = asked_registry(SITES, text)
    except JobDropped:
        return

    assert asked.registered.url == "https://registry.example"
