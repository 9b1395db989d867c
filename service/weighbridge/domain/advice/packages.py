"""What package managers leave behind: lists of packages, caches, compilers.

A history shows commands, not files. A cache mount (`RUN --mount=type=cache`) keeps
lists and caches out of the layer and leaves no trace in it, so what these would save is
an estimate that says so; none is made where the layer has no room for it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.advice.own_lines import WORTH_BYTES, Advice, OwnLine
from weighbridge.domain.advice.shell import Command

_MB: Final = 1_000_000
_UNLESS_MOUNTED: Final = (
    "a cache mount would have kept them out, which no history shows"
)


class _Manager(Struct, frozen=True):
    """One package manager.

    leaves:  whether a command leaves something in the layer
    cleans:  any sign in the text that it is removed again, or goes elsewhere
    remedy:  what to write
    least_bytes: of what is left, compressed, at the least
    """

    name: str
    leaves: Callable[[Command], bool]
    cleans: re.Pattern[str]
    remedy: str
    least_bytes: int


def _updates(command: Command) -> bool:
    return command.name in ("apt", "apt-get", "aptitude") and command.has("update")


def _keeps_index(command: Command) -> bool:
    if command.name != "apk" or command.has("--no-cache"):
        return False
    is_fetched = command.has("-U", "--update", "--update-cache")
    return command.has("update") or (command.has("add") and is_fetched)


def _keeps_metadata(command: Command) -> bool:
    if command.name not in ("dnf", "microdnf", "tdnf", "yum"):
        return False
    return command.has("groupinstall", "install", "update", "upgrade")


def _only_fetches(command: Command) -> bool:
    """Whether it fetches lists and installs nothing: `yum install` and `apk add -U` do
    both."""
    return _updates(command) or (
        command.name == "apk" and command.operands[:1] == ("update",)
    )


_CLEAN_SCRIPT: Final = r"|clean-?up|\bclean[\w-]*\.sh\b|install_packages"
_LISTS: Final = (
    # Of the official images of 2018 one has a line that did nothing else, 21.6 MB, and
    # one that kept them beside little else, 10.4 MB: 8 MB is less than either.
    _Manager(
        "apt",
        _updates,
        re.compile(
            r"/var/lib/apt|apt/lists|/var/lib/?[*{]|/var/\*|/var/lib(?:\s|\Z)"
            r"|dist-?clean" + _CLEAN_SCRIPT
        ),
        "rm -rf /var/lib/apt/lists/*",
        8 * _MB,
    ),
    _Manager(
        "apk",
        _keeps_index,
        re.compile(r"/var/cache|--no-cache|\bcache\s+clean" + _CLEAN_SCRIPT),
        "apk add --no-cache",
        _MB,
    ),
    _Manager(
        "yum or dnf",
        _keeps_metadata,
        re.compile(r"\bclean\b|/var/cache|/var/\*" + _CLEAN_SCRIPT),
        "yum clean all or dnf clean all",
        10 * _MB,
    ),
)


def package_lists(lines: Sequence[OwnLine]) -> Iterator[Advice]:
    """Lists that a line fetches and does not remove."""
    for place, line in enumerate(lines):
        for manager in _LISTS if line.is_whole and line.layer is not None else ():
            if line.compressed_bytes < manager.least_bytes:
                continue
            if not any(map(manager.leaves, line.commands)):
                continue
            if not manager.cleans.search(line.text):
                yield _lists_of(manager, line, lines[place + 1 :])


def _lists_of(manager: _Manager, line: OwnLine, after: Sequence[OwnLine]) -> Advice:
    later = next(
        (o for o in after if o.keyword == "RUN" and manager.cleans.search(o.text)), None
    )
    text = f"{line.name} fetches package lists ({manager.name}) and keeps them:"
    if later is not None:
        text = (
            f"{line.name} fetches package lists ({manager.name}); another line removes "
            "them, which frees nothing:"
        )
    evidence = (line.evidence, *([] if later is None else [later.evidence]))
    remedy = f"{text} remove them in the same line ({manager.remedy})."
    if all(_only_fetches(c) or c.name == "set" for c in line.commands):
        return Advice(
            "package_lists",
            remedy,
            line.compressed_bytes,
            False,
            "measured: the line does nothing else",
            evidence,
        )
    basis = (
        f"such lists take {manager.least_bytes // _MB} MB or more compressed; "
        f"{_UNLESS_MOUNTED}"
    )
    return Advice("package_lists", remedy, manager.least_bytes, True, basis, evidence)


def _pip_installs(command: Command) -> bool:
    name, words = command.name, command.words
    if re.fullmatch(r"python[0-9.]*", name) and words[:2] == ("-m", "pip"):
        name, words = "pip", words[2:]
    return bool(re.fullmatch(r"pip[0-9.]*", name)) and "install" in words[:3]


def _npm_installs(command: Command) -> bool:
    return command.name == "npm" and not {"ci", "i", "install"}.isdisjoint(
        command.words[:2]
    )


def _yarn_installs(command: Command) -> bool:
    return command.name == "yarn" and command.operands[:1] in ((), ("install",))


_CACHES: Final = (
    _Manager(
        "pip",
        _pip_installs,
        re.compile(
            r"no-cache|no_cache|cache[-_]dir|\.cache|cache\s+(?:purge|remove)", re.I
        ),
        "pip install --no-cache-dir keeps none",
        5 * _MB,
    ),
    _Manager(
        "npm",
        _npm_installs,
        re.compile(
            r"cache\s+clean|cache\s+verify|\.npm\b|[-_]cache|/tmp/npm|_cacache", re.I
        ),
        "npm cache clean --force in the same line removes it",
        5 * _MB,
    ),
    _Manager(
        "yarn",
        _yarn_installs,
        re.compile(r"cache\s+clean|\.cache|cache[-_]folder|\.yarn|\bdlx\b", re.I),
        "yarn cache clean in the same line removes it",
        5 * _MB,
    ),
)
_ELSEWHERE: Final = {
    "pip": re.compile(r"PIP_NO_CACHE_DIR|PIP_CACHE_DIR|pip\.conf", re.I),
    "npm": re.compile(r"npm_config_cache|\.npmrc", re.I),
    "yarn": re.compile(r"YARN_CACHE_FOLDER|\.yarnrc|YARN_", re.I),
}
"""What any line of the image may say so that there is no cache, or not there."""
_QUIET: Final = frozenset(["cd", "echo", "mkdir", "set", "true"])


def package_caches(
    lines: Sequence[OwnLine], all_texts: Sequence[str]
) -> Iterator[Advice]:
    """Caches of what a line installs: archives beside what was unpacked from them.

    all_texts: the lines of the image, those of its base included
    """
    kept = [
        manager
        for manager in _CACHES
        if not any(map(_ELSEWHERE[manager.name].search, all_texts))
    ]
    for line in lines if kept else ():
        if not line.is_whole or line.layer is None:
            continue
        for manager in kept:
            if line.compressed_bytes < manager.least_bytes:
                continue
            if not any(map(manager.leaves, line.commands)):
                continue
            if not manager.cleans.search(line.text):
                yield _cache_of(manager, line)


def _cache_of(manager: _Manager, line: OwnLine) -> Advice:
    """Archives do not shrink again, and what is unpacked from one is compressed to
    about its size: half of the layer, if it has nothing else."""
    text = (
        f"{line.name} installs by {manager.name}, which keeps a cache of what it "
        f"fetches: {manager.remedy}."
    )
    if all(manager.leaves(c) or c.name in _QUIET for c in line.commands):
        basis = (
            "half of the layer: the archives that were fetched compress to what is "
            f"unpacked from them; {_UNLESS_MOUNTED}"
        )
        saved = line.compressed_bytes // 2
        return Advice("package_cache", text, saved, True, basis, (line.evidence,))
    basis = f"the line does other things too; {_UNLESS_MOUNTED}"
    return Advice("package_cache", text, None, False, basis, (line.evidence,))


_TOOLS: Final = frozenset(
    [
        "autoconf",
        "automake",
        "bison",
        "build-base",
        "build-essential",
        "cargo",
        "clang",
        "cmake",
        "flex",
        "g++",
        "gcc",
        "gcc-c++",
        "gfortran",
        "libtool",
        "llvm",
        "make",
        "meson",
        "ninja-build",
        "nasm",
        "pkg-config",
        "rustc",
    ]
)
_INSTALLERS: Final = {
    "apt": "install",
    "apt-get": "install",
    "apk": "add",
    "dnf": "install",
    "microdnf": "install",
    "yum": "install",
}
_REMOVES: Final = re.compile(
    r"\b(?:purge|autoremove|auto-remove|apt(?:-get)?\s[^;&|]*\bremove|apk\s[^;&|]*\bdel"
    r"|(?:yum|dnf|microdnf)\s[^;&|]*\b(?:remove|erase)|history\s+undo)\b"
)
_COMPILERS: Final = frozenset(
    [
        "build-base",
        "build-essential",
        "cargo",
        "clang",
        "g++",
        "gcc",
        "gcc-c++",
        "gfortran",
        "rustc",
    ]
)
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*", re.ASCII)
_VERSION: Final = re.compile(r"(?:-[0-9.]+|[=<>~].*|:[a-z0-9]+)\Z")


def build_tools(lines: Sequence[OwnLine]) -> Iterator[Advice]:
    """Compilers that a line installs and leaves in the image."""
    for line in lines:
        if not line.is_whole or line.layer is None or _REMOVES.search(line.text):
            continue
        if line.compressed_bytes < WORTH_BYTES:
            continue
        packages = _packages(line)
        tools = sorted({name for name in packages if name in _TOOLS})
        if _COMPILERS.isdisjoint(tools):
            continue
        yield _tools_of(line, tools, packages)


def _packages(line: OwnLine) -> list[str]:
    found: list[str] = []
    for command in line.commands:
        verb = _INSTALLERS.get(command.name)
        if verb is not None and verb in command.operands:
            behind = command.operands[command.operands.index(verb) + 1 :]
            found += [_VERSION.sub("", word) for word in behind]
    return [name for name in found if _PACKAGE.fullmatch(name)]


def _tools_of(line: OwnLine, tools: Sequence[str], packages: Sequence[str]) -> Advice:
    named = ", ".join(tools[:3])
    if len(tools) > 3:
        named += f" and {len(tools) - 3} more"
    text = (
        f"{line.name} installs build tools ({named}) and leaves them in the image: if "
        "nothing is compiled when it runs, build in a stage of its own and copy the "
        "result."
    )
    installs = all(
        command.name in _QUIET
        or _INSTALLERS.get(command.name) is not None
        or command.name == "rm"
        for command in line.commands
    )
    if installs and all(name in _TOOLS or name.endswith("-dev") for name in packages):
        return Advice(
            "build_tools",
            text,
            line.compressed_bytes,
            True,
            "the layer: the line installs nothing but build tools and what they need",
            (line.evidence,),
        )
    basis = (
        "the line installs other things too; how many bytes are of which is not known"
    )
    return Advice("build_tools", text, None, False, basis, (line.evidence,))
