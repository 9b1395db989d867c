"""Texts that people search for: what no name can hold is never looked for."""

import re
from typing import Final

# The characters of repository names and tags together (distribution-spec, "Pulling
# manifests"). A search for anything else would read every row to find nothing.
_OF_NAMES: Final = re.compile(r"[A-Za-z0-9._/-]+", re.ASCII)


def could_be_in_a_name(text: str) -> bool:
    """Whether a repository or tag may have this text in its name."""
    return _OF_NAMES.fullmatch(text) is not None
