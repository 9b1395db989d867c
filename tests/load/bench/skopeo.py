"""`skopeo inspect`, as a script would run it: a process a tag."""

from collections.abc import Sequence
from pathlib import Path

from load.bench.measured import Run, measured


def skopeo_inspect(
    address: str,
    references: Sequence[str],
    folder: Path,
    *,
    at_once: int,
    flags: Sequence[str] = (),
) -> Run:
    """Inspect each reference, `at_once` side by side (by xargs)."""
    listing = folder / "references.txt"
    listing.write_text("".join(f"docker://{address}/{r}\n" for r in references))
    inspect = ("skopeo", "inspect", "--tls-verify=false", *flags)
    return measured(
        [*("xargs", "-a", str(listing), "-P", str(at_once), "-n", "1"), *inspect],
        folder,
    )


def sample(references: Sequence[str], count: int) -> list[str]:
    """So many of them, spread evenly."""
    step = max(1, len(references) // count)
    return list(references[::step][:count])
