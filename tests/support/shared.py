"""Where tests find recorded samples that are not part of the project."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def shared_path(relative: str) -> Path:
    """A file or folder of the shared samples; skips the test where they are absent.

    `WEIGHBRIDGE_SHARED` names another folder than `../shared`.
    """
    folder = Path(os.environ.get("WEIGHBRIDGE_SHARED", _ROOT.parent / "shared"))
    path = folder / relative
    if not path.exists():
        pytest.skip(f"the shared sample {relative} is not here")
    return path
