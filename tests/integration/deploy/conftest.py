"""Our own image, assembled once for all tests of a run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from support.own_image import OwnImage, assembled, shared_folder

_IMAGES = {"image_folder", "full", "embedded", "image"}


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Whoever comes first assembles the image, and the others wait for that."""
    for item in items:
        if not _IMAGES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where images are assembled; `downloads` in it is shared."""
    return shared_folder(tmp_path_factory)


@pytest.fixture(scope="module")
def full(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OwnImage:
    return assembled("full", image_folder, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def embedded(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OwnImage:
    return assembled("embedded", image_folder, tmp_path_factory.mktemp("data"))


# The same script makes both: the one with everything is in every run.
@pytest.fixture(
    scope="module", params=["full", pytest.param("embedded", marks=pytest.mark.long)]
)
def image(request: pytest.FixtureRequest) -> OwnImage:
    """Each of them."""
    found: object = request.getfixturevalue(str(request.param))
    assert isinstance(found, OwnImage)
    return found
