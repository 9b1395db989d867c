"""A service is told where a registry is, not what it is called here."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from support.recording_server import recording_server
from weighbridge.bootstrap.one_image.image_check import CheckRequest, check
from weighbridge.bootstrap.one_image.service_limits import service_at
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.policy.policy import Policy
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import DocumentError
from weighbridge.registry.kinds.dockerhub.hub_kind import DockerHubSettings

SETTINGS = Settings(
    database_url=Secret("sqlite://"),
    registries=(
        DockerHubSettings(name="hub", url="https://registry-1.docker.io"),
        RegistrySettings(name="ours", url="https://registry.example:5000"),
    ),
)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("hub/acme/app:1", "docker.io/acme/app:1"),
        ("python:3.7", "docker.io/library/python:3.7"),
        ("ours/shop/app:1", "registry.example:5000/shop/app:1"),
        ("registry.example:5000/shop/app:1", "registry.example:5000/shop/app:1"),
        ("other.example/shop/app", "other.example/shop/app:latest"),
    ],
)
def test_a_reference_is_told_by_the_address_of_its_registry(
    reference: str, told: str
) -> None:
    async def run() -> str:
        async with recording_server() as server:
            asked = CheckRequest(
                reference, Policy("own"), service=service_at(server.origin)
            )
            # Its answer is none, and nothing else is asked then.
            with pytest.raises(DocumentError):
                await asyncio.to_thread(check, SETTINGS, asked)
            (seen,) = server.seen
        return seen.target

    (ref,) = parse_qs(urlsplit(asyncio.run(run())).query)["ref"]

    assert ref == told
