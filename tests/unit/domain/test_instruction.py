"""History entries of every builder become Dockerfile instructions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image import image_config
from weighbridge.domain.image.image_config import NO_TEXT, instruction, keyword


@pytest.mark.parametrize(
    ("created_by", "shown"),
    [
        ("/bin/sh -c #(nop)  ENV LANG=C.UTF-8", "ENV LANG=C.UTF-8"),
        ("/bin/sh -c #(nop) ADD file:c0ffee in / ", "ADD file:c0ffee in /"),
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'),
        ("/bin/sh -c apt-get update \t&& ls", "RUN apt-get update && ls"),
        ("|1 A=b /bin/sh -c pip install x", "RUN pip install x"),
        ("|2 A=b c B=/bin/sh /bin/bash -o pipefail -c make", "RUN make"),
        ("/bin/bash -o pipefail -c make", "RUN make"),
        ("/usr/bin/env true", "/usr/bin/env true"),
        ("cmd /S /C #(nop) EXPOSE 80", "EXPOSE 80"),
        ("cmd /S /C mkdir c:\\app", "RUN mkdir c:\\app"),
        ("powershell -Command Remove-Item x", "RUN Remove-Item x"),
        ("#(nop) WORKDIR /app", "WORKDIR /app"),
    ],
)
def test_the_classic_builders_lines_lose_shell_and_nop(
    created_by: str, shown: str
) -> None:
    assert instruction(created_by) == shown


@pytest.mark.parametrize(
    ("created_by", "shown"),
    [
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("RUN |1 A=b /bin/sh -c make # buildkit", "RUN make"),
        ("RUN |2 A=b C=d make all # buildkit", "RUN make all"),
        ("COPY . /app # buildkit", "COPY . /app"),
        ("WORKDIR /app", "WORKDIR /app"),
        ("EXPOSE [8080/tcp]", "EXPOSE [8080/tcp]"),
        ("RUN sh -c 'a b' # buildkit", "RUN sh -c 'a b'"),
        ("RUN make # buildkit is not needed", "RUN make # buildkit is not needed"),
    ],
)
def test_buildkits_lines_lose_shell_arguments_and_suffix(
    created_by: str, shown: str
) -> None:
    assert instruction(created_by) == shown


@pytest.mark.parametrize(
    "text",
    [
        "# debian.sh --arch 'amd64' out/ 'trixie' '@1733097600'",
        "BusyBox 1.37.0 (glibc), Debian 13",
        "Apply image 10.0.26100.1",
        "jib-maven-plugin:3.4.0",
        "bazel build ...",
        "=HYPERLINK(1)",
        "RUN <script>alert(1)</script>",
    ],
)
def test_dialects_that_we_do_not_know_stay_as_they_are(text: str) -> None:
    assert instruction(text) == text


def test_an_entry_without_a_command_says_what_its_comment_says() -> None:
    assert instruction("", "merge sha256:aa to sha256:bb") == (
        "merge sha256:aa to sha256:bb"
    )
    assert instruction(" \n", "") == NO_TEXT
    assert instruction("RUN make", "buildkit.dockerfile.v0") == "RUN make"


def test_secrets_are_hidden_before_anything_is_returned() -> None:
    shown = instruction("|1 X=hush /bin/sh -c curl https://u:hush@a.example -H 'T: x'")

    assert shown == "RUN curl https://***@a.example -H 'T: x'"
    assert instruction("ENV NPM_TOKEN=hush") == "ENV NPM_TOKEN=***"


def test_a_forged_log_line_stays_in_its_line_config_blob_002() -> None:
    shown = instruction("RUN y\r\n2031-05-05 WARN owned \x1b[31m\u202etxt.\ud800")

    assert shown == r"RUN y 2031-05-05 WARN owned \x1b[31m\u202etxt.\ud800"


def test_markup_is_kept_as_text_config_blob_001() -> None:
    # What shows it escapes it; here it is only text.
    assert instruction("RUN <b onclick=x>") == "RUN <b onclick=x>"


@pytest.mark.parametrize("character", ["x", "é", "尺", "\x00", "x "])
def test_an_instruction_of_megabytes_is_cut_config_blob_012(character: str) -> None:
    text = "RUN " + character * (3 * 2**20 // len(character))

    shown = instruction(text)

    assert 8000 < len(shown.encode()) <= 8 * 1024
    assert shown.startswith(
        f"RUN {character[0] if character.isprintable() else chr(92)}"
    )
    assert shown.endswith(" characters)")


@pytest.mark.parametrize(
    ("text", "word"),
    [("RUN make", "RUN"), ("ENV", "ENV"), ("Apply image", ""), ("RUNNING", "")],
)
def test_only_dockerfile_keywords_are_keywords(text: str, word: str) -> None:
    assert keyword(text) == word


@given(st.text(st.characters(exclude_categories=())), st.text())
def test_any_entry_becomes_one_printable_line(created_by: str, comment: str) -> None:
    shown = instruction(created_by, comment)

    assert shown
    assert shown.encode()
    assert len(shown.splitlines()) == 1


def test_a_line_reads_the_same_however_many_others_came_in_between() -> None:
    line = "/bin/sh -c curl -H 'Authorization: Bearer abcdefgh12345678' example.org"
    first = instruction(line)

    others = [instruction(f"RUN step {number} # buildkit") for number in range(5_000)]

    assert instruction(line) == first == instruction("", line)
    assert others[17] == instruction("RUN step 17 # buildkit") == "RUN step 17"


def test_lines_that_differ_in_half_a_character_only_are_told_apart() -> None:
    # JSON can hold half of a surrogate pair, which UTF-8 cannot.
    assert instruction("RUN echo \ud800") != instruction("RUN echo \ud801")


def test_no_secret_of_a_line_stays_in_memory_after_it_was_masked() -> None:
    instruction("RUN login --password hunter2hunter2")

    by_text, by_digest = image_config._kept, image_config._kept_masked
    kept = [*by_text, *by_text.values(), *by_digest, *by_digest.values()]
    assert not any("hunter2" in repr(item) for item in kept)
    assert any("login --password ***" in str(item) for item in kept)
