"""What a runner of a CI service would take for a command in our output, broken up.

Runners read along: a line that looks like a command is obeyed, and on some of them it
sets a variable for all steps that follow. Whoever pushes an image writes its lines.
"""

import re
from typing import Final

# `##[` of GitHub (old) and Azure Pipelines, `##vso[` of Azure Pipelines, `##teamcity[`:
# each anywhere in a line.
_ANYWHERE: Final = re.compile(r"##(?=[A-Za-z]*\[)")
# `::error::` of GitHub, behind blanks at most (actions/runner, ActionCommand.cs).
_AT_START: Final = re.compile(r"(?:^|(?<=[\r\n]))(\s*):(?=:)")


def defused(text: str) -> str:
    """The text with a space in whatever begins a command. JSON stays the same to every
    reader of JSON."""
    if text.startswith(("{", "[")):
        # Where this is no JSON after all, it is no command either.
        return _ANYWHERE.sub(r"\\u0023#", text)
    return _AT_START.sub(r"\1: ", defused_words(text))


def defused_words(text: str) -> str:
    """The same of words that never begin a line."""
    return _ANYWHERE.sub("## ", text)
