"""Where Docker Hub was asked for want of a registry, people are told."""

import pytest

from weighbridge.bootstrap.one_image.weigh_image import why_docker_hub
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.image.reference import parse_reference
from weighbridge.domain.text.printable import Secret

SETTINGS = Settings(
    database_url=Secret("sqlite:///w.db"),
    registries=(RegistrySettings(name="near", url="http://127.0.0.1:5000"),),
)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "harbor/shop/cart",
            "note   no registry is called harbor here, so Docker Hub was asked",
        ),
        (
            "acme/app:1",
            "note   no registry is called acme here, so Docker Hub was asked",
        ),
        ("near", "note   near is a registry: name a repository of it, near/..."),
        ("python:3.7", ""),
        ("docker.io/acme/app", ""),
        ("docker.io/python", ""),
        ("near/app", ""),
        ("registry.example/app", ""),
    ],
)
def test_a_first_component_that_is_no_registry_is_told(text: str, note: str) -> None:
    reference = parse_reference(text, SETTINGS.names)

    assert why_docker_hub(SETTINGS, text, reference) == note
