"""What builders write into histories, as the demo imitates it."""

import pytest

from weighbridge.demo.content.stored_documents import Dialect, created_by


@pytest.mark.parametrize(
    ("instruction", "dialect", "written"),
    [
        ("RUN make", "classic", "/bin/sh -c make"),
        ("ENV A=b", "classic", "/bin/sh -c #(nop)  ENV A=b"),
        ("ADD file:0f in /", "classic", "/bin/sh -c #(nop) ADD file:0f in / "),
        ("WORKDIR /go", "classic", "/bin/sh -c #(nop) WORKDIR /go"),
        ("RUN make", "buildkit", "RUN /bin/sh -c make # buildkit"),
        ("COPY . /app", "buildkit", "COPY . /app # buildkit"),
        ('CMD ["a" "b"]', "buildkit", 'CMD ["a" "b"]'),
        ("# debian.sh --arch 'amd64'", "buildkit", "# debian.sh --arch 'amd64'"),
    ],
)
def test_an_instruction_is_written_as_its_builder_does(
    instruction: str, dialect: Dialect, written: str
) -> None:
    assert created_by(instruction, dialect)[0] == written


def test_only_buildkit_signs_its_lines() -> None:
    assert created_by("RUN make", "buildkit")[1] == "buildkit.dockerfile.v0"
    assert created_by("RUN make", "classic")[1] == ""
