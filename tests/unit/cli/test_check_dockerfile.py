"""Which line of a Dockerfile an image's line was made by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.checks import TORCH, a_check, an_image_of, grown_by_torch
from weighbridge.presentation.check.github_workflow import (
    find_line,
    instruction_to_blame,
)

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM debian:trixie
run --mount=type=cache,target=/var/cache/apt \\
    apt-get update && \\
    # tools that the tests need
    apt-get install -y   git
COPY --chown=1:1 --link . /app
RUN make
RUN make
CMD ["run"]
"""


@pytest.mark.parametrize(
    ("instruction", "line"),
    [
        ("RUN apt-get update && apt-get install -y git", 3),
        ("COPY . /app", 7),
        ("RUN make", None),
        ("RUN make install", None),
        ('CMD ["run"]', 10),
        ("", None),
    ],
)
def test_a_line_is_found_where_it_can_only_be_that_one(
    instruction: str, line: int | None
) -> None:
    assert find_line(DOCKERFILE, instruction) == line


def test_the_line_to_blame_is_what_grew_else_the_heaviest() -> None:
    heavy = a_check(
        an_image_of(1, 3, 2, lines=("ADD /", "RUN a", "RUN b")), max_layers=1
    )

    assert instruction_to_blame(grown_by_torch()) == TORCH
    assert instruction_to_blame(heavy) == "RUN a"


@given(st.text(), st.text())
def test_any_file_is_read(dockerfile: str, instruction: str) -> None:
    line = find_line(dockerfile, instruction)

    assert line is None or 1 <= line <= len(dockerfile.splitlines())
