"""How a history line names the shell that ran it, and the arguments before that."""

import re
from typing import Final

# `|2 A=x B=y /bin/sh -c make`: the classic builder puts the count first, BuildKit
# puts RUN before it (moby, daemon/builder/dockerfile/internals.go; buildkit,
# frontend/dockerfile/dockerfile2llb/convert.go).
BUILD_ARGUMENTS: Final = re.compile(r"\s*(?:RUN\s+)?\|([0-9]{1,4})\s+", re.ASCII)

SHELL: Final = re.compile(
    r"(?<!\S)(?:"
    # An absolute path: what SHELL or the default names. `RUN sh -c ...` is a
    # command that somebody wrote.
    r"/(?:[\w.+-]{1,64}/){0,8}(?:ba|da|a|z|k)?sh(?:\s+[-+\w]{1,24}){0,8}?\s+-\w{0,8}c"
    r"|cmd(?:\.exe)?(?:\s+/[A-Za-z](?::\w{1,8})?){1,6}"
    r"|(?:powershell|pwsh)(?:\.exe)?(?:\s+-?\w{1,40}){0,12}?\s+-[Cc]ommand"
    r")(?:\s+|\Z)",
    re.ASCII,
)

BARE_SHELL: Final = re.compile(
    r"(?<!\S)(?:ba|da|a|z|k)?sh(?:\s+[-+\w]{1,24}){0,8}?\s+-\w{0,8}c(?:\s+|\Z)",
    re.ASCII,
)
"""A shell that the path finds, as `SHELL ["bash", "-c"]` names it: only behind build
arguments, where nothing but a shell tells that their values have ended."""
