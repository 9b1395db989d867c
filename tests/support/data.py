"""Where tests find documents: those of `tests/data`, and recorded ones elsewhere."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

_TESTS = Path(__file__).resolve().parents[1]


def data_path(name: str) -> Path:
    """A file or folder of `tests/data`."""
    return _TESTS / "data" / name


def documents(name: str) -> dict[str, Any]:
    """The documents of a file of `tests/data`, by their names there."""
    found: dict[str, Any] = json.loads(data_path(f"{name}.json").read_bytes())
    return found


def recorded_path(relative: str) -> Path:
    """A file of the recorded images and updates, 20 MB that are no part of the
    project; skips the test where they are absent. For tests that are `long`.

    `WEIGHBRIDGE_SHARED` names another folder than `../shared`.
    """
    given = os.environ.get("WEIGHBRIDGE_SHARED")
    folder = Path(given) if given else _TESTS.parents[1] / "shared"
    path = folder / relative
    if not path.exists():
        pytest.skip(f"a replay of recorded images, and {relative} is not here")
    return path
