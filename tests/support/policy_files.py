"""Configurations with policies, as somebody writes them."""

from pathlib import Path
from typing import Final

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import PolicySource, load_policies, load_settings
from weighbridge.errors import ConfigError

FILES: Final = "policy_files: ['policies.d/*.yaml']\n"


def write(folder: Path, **files: str) -> None:
    """`main` is weighbridge.yaml, every other name a file of policies."""
    for name, text in files.items():
        path = "weighbridge.yaml" if name == "main" else f"policies.d/{name}.yaml"
        (folder / path).write_text(text)


def refused(folder: Path, **files: str) -> ConfigError:
    """The error of these files, which both ways to read them give."""
    write(folder, **files)
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {}, KINDS)
    with pytest.raises(ConfigError) as again:
        load_policies(None, {})
    assert again.value.message == caught.value.message
    assert again.value.code == caught.value.code
    return caught.value


def loaded(folder: Path, **files: str) -> PolicySource:
    write(folder, **files)
    load_settings(None, {}, KINDS)
    return load_policies(None, {})


def policy(keys: str) -> str:
    """A file with one policy that has these keys."""
    return f"policies:\n  - name: slim\n    {keys}\n"
