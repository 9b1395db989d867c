"""What builders write into a config's history for one Dockerfile instruction."""

from typing import Final

from weighbridge.demo.content.recipe import Dialect

_SHELL: Final = "/bin/sh -c "
_DEBUERREOTYPE: Final = "# debian.sh"


def created_by(instruction: str, dialect: Dialect) -> tuple[str, str]:
    """`created_by` and `comment` for an instruction such as `RUN make` or `ENV A=b`.

    classic:  /bin/sh -c #(nop)  ENV A=b;  /bin/sh -c make
    buildkit: ENV A=b;  RUN /bin/sh -c make # buildkit
    """
    if instruction.startswith(_DEBUERREOTYPE):
        return instruction, "debuerreotype 0.16"
    word, _, rest = instruction.partition(" ")
    if dialect == "classic":
        return _classic(word, rest), ""
    return _buildkit(word, rest), "buildkit.dockerfile.v0"


def _classic(word: str, rest: str) -> str:
    if word == "RUN":
        return _SHELL + rest
    if word in ("ADD", "COPY"):
        return f"{_SHELL}#(nop) {word} {rest} "
    if word == "WORKDIR":
        return f"{_SHELL}#(nop) {word} {rest}"
    return f"{_SHELL}#(nop)  {word} {rest}"


def _buildkit(word: str, rest: str) -> str:
    if word == "RUN":
        return f"RUN {_SHELL}{rest} # buildkit"
    if word in ("ADD", "COPY"):
        return f"{word} {rest} # buildkit"
    return f"{word} {rest}"
