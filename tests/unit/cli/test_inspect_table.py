"""What `inspect` prints: numbers with their names, the heavy line in words."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.images import a_digest
from support.read_model import (
    ARM,
    a_weighed_image,
    a_weighed_layer,
    a_weighing,
    measured,
    python_3_7,
    unknown,
)
from weighbridge.domain.image.digest import short
from weighbridge.domain.image.document import Problem
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.image.image_config import LINE_UNKNOWN, SQUASHED
from weighbridge.domain.size import confidence
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import Other, Weighing, WeighingCost
from weighbridge.presentation.forms.screen import Screen, columns
from weighbridge.presentation.image.image_words import (
    artifact_words,
    bounds_in_words,
    reason_words,
    what_it_does,
)
from weighbridge.presentation.image.weighing_table import (
    inspect_csv,
    inspect_json,
    inspect_markdown,
    render_inspect,
    warnings_of,
)

PIPE = Screen()
ESTIMATE = Uncompressed(
    "estimate", 1_868_000_000, 1_500_000_000, 2_100_000_000, "multi_member"
)


def table_line(text: str, pattern: str) -> str:
    """The one line of the text that holds the pattern."""
    (line,) = [line for line in text.splitlines() if re.search(pattern, line)]
    return line


def test_the_headlines_say_what_is_counted_and_how_sure_it_is() -> None:
    lines = render_inspect(python_3_7(), PIPE).splitlines()

    assert re.fullmatch(
        r"hub/library/python:3.7   linux/amd64   sha256:\w{12}   built 2023-01-24",
        lines[0],
    )
    assert lines[1] == (
        "348 MB compressed   912 MB on disk (trailer)   9 layers   17 lines"
    )


def test_the_table_has_one_unit_a_column_and_its_sums() -> None:
    text = render_inspect(python_3_7(), PIPE)

    assert (
        "    COMPRESSED         ON DISK\n"
        "            MB     %        MB                    #  DOCKERFILE LINE\n"
        " o        55.0  15.8     126.8  ████▌             1  ADD file:9177"
    ) in text
    assert ("    ──────────        ────────\n         347.7           912.3\n") in text


def test_the_heaviest_line_is_marked_and_told_in_words() -> None:
    text = render_inspect(python_3_7(), PIPE)

    assert table_line(text, "◆").startswith(
        " ◆       196.9  56.6     529.3  ████████████████  5  RUN "
    )
    assert (
        "Line 5 is 56.6 % of the compressed bytes: packages by apt-get "
        "(autoconf, automake, bzip2 and 9 more)."
    ) in text


def test_lines_without_a_layer_are_folded_unless_all_are_wanted() -> None:
    folded = render_inspect(python_3_7(), PIPE)
    unfolded = render_inspect(python_3_7(), PIPE, wants_all=True)

    assert table_line(folded, "metadata").endswith(
        "CMD, ENV (8 metadata lines, --all shows them)"
    )
    assert table_line(folded, "metadata").startswith(" ·         0.0   0.0       0.0  ")
    assert "metadata" not in unfolded
    assert len(re.findall("^ ·", unfolded, re.MULTILINE)) == 8


def test_what_is_less_than_a_tenth_is_not_nothing() -> None:
    line = table_line(render_inspect(python_3_7(), PIPE), "idle3")

    assert line.startswith(" o        <0.1  <0.1      <0.1  ▏ ")


def test_a_terminal_gets_the_gist_of_lines_that_do_not_fit() -> None:
    text = render_inspect(python_3_7(), Screen(width=100))

    assert "RUN apt-get install … git mercurial" in text
    assert max(map(columns, text.splitlines())) <= 100


@pytest.mark.parametrize("width", [30, 60, 80, 132])
def test_no_line_of_the_table_leaves_the_terminal(width: int) -> None:
    text = render_inspect(python_3_7(), Screen(width=width), wants_all=True)

    rows = [line for line in text.splitlines() if re.match(r" [o◆·?] ", line)]
    assert max(map(columns, rows)) <= max(width, 36)


def test_a_pipe_gets_every_line_whole() -> None:
    text = render_inspect(python_3_7(), PIPE)

    assert "libbz2-dev libc6-dev libcurl4-openssl-dev zlib1g-dev" in text


def test_ascii_uses_letters_only() -> None:
    text = render_inspect(python_3_7(), Screen(ascii=True))

    assert text.isascii()
    assert table_line(text, r"\*  ").startswith(
        " *       196.9  56.6     529.3  ################  5  RUN"
    )


def test_iec_changes_every_number() -> None:
    text = render_inspect(python_3_7(), Screen(iec=True))

    assert "332 MiB compressed   870 MiB on disk" in text
    assert "           MiB     %       MiB" in text
    assert " MB" not in text


def test_the_foot_names_other_platforms_attestations_and_the_cost() -> None:
    weighing = replace(python_3_7(), cost=WeighingCost(12, 21_034, 0.412))

    foot = render_inspect(weighing, PIPE).splitlines()[-3:]

    assert foot == [
        "Other platforms: linux/arm64, linux/arm/v7 (--platform, --all-platforms)",
        "Beside the images: 1 attestation, 17.8 MB stored",
        "12 requests, 21.0 kB read, 0.41 s",
    ]


def test_an_unknown_size_is_told_with_its_reason_and_what_is_known() -> None:
    layers = [
        a_weighed_layer(1, 2_641_900_000, measured(6_104_300_000)),
        a_weighed_layer(2, 1_904_600_000, unknown()),
        a_weighed_layer(3, 312_200_000, unknown()),
    ]
    lines = [("FROM scratch", 0), ("RUN uv sync --frozen", 1), ("COPY models /m", 2)]
    image = a_weighed_image(layers, lines, uncompressed=unknown())

    text = render_inspect(a_weighing(image), PIPE)

    assert (
        "on disk unknown: 2 layers are zstd frames that do not state their size" in text
    )
    assert table_line(text, "uv sync").startswith(" o      1904.6  39.2   unknown")
    assert "        4858.7         unknown   at least 6104.3 MB on disk" in text


def test_an_estimate_has_a_tilde_a_range_and_its_reason() -> None:
    image = a_weighed_image(
        [a_weighed_layer(1, 781_300_000, ESTIMATE)],
        [("COPY . /", 0)],
        uncompressed=ESTIMATE,
    )

    weighing = a_weighing(image)

    text = render_inspect(weighing, PIPE)
    assert "~1.87 GB on disk (estimate, 1.50 GB to 2.10 GB)" in text
    assert "  ~1868.0" in text
    assert warnings_of(weighing) == [
        "linux/amd64: layer 1 is a gzip file of several members"
    ]


def unresolved() -> Weighing:
    """Two lines and two layers of which nobody knows what belongs to what."""
    layers = [
        a_weighed_layer(1, 3_000_000, measured(9_000_000)),
        a_weighed_layer(2, 1_000_000, None),
    ]
    lines = [("RUN a", None), ("RUN b", None), (LINE_UNKNOWN, 0), (LINE_UNKNOWN, 1)]
    return a_weighing(a_weighed_image(layers, lines, alignment="unresolved"))


@pytest.mark.parametrize("wants_all", [False, True])
def test_lines_and_layers_stand_apart_where_nobody_knows_what_belongs_together(
    wants_all: bool,
) -> None:
    text = render_inspect(unresolved(), Screen(width=100), wants_all=wants_all)

    assert table_line(text, "RUN b") == " ?     unknown         unknown" + 20 * " " + (
        "RUN b"
    )
    assert table_line(text, "◆").endswith(
        f"████████████████  (line unknown) layer 1, {short(a_digest(1))}"
    )
    assert "   2 layers   2 lines\n" in text


def test_what_stands_for_an_unknown_line_is_no_line() -> None:
    text = render_inspect(unresolved(), PIPE)

    assert text.endswith(
        "\nIts largest layer is 75.0 % of the compressed bytes; "
        "which line made it is not known."
    )
    assert "#" not in text


def test_a_layer_of_several_lines_has_no_number() -> None:
    layers = [
        a_weighed_layer(1, 1_000_000, measured(1)),
        a_weighed_layer(2, 3_000_000, measured(2)),
    ]
    lines = [
        ("ADD file:1 in /", 0),
        ("COPY . /", None),
        ("USER a", None),
        (SQUASHED, 1),
    ]
    image = a_weighed_image(layers, lines, alignment="inferred")

    text = render_inspect(a_weighing(image), PIPE)

    assert table_line(text, "◆").endswith(f"████████████████     {SQUASHED}")
    assert text.endswith("75.0 % of the compressed bytes; several lines made it.")
    assert "COPY, USER (2 lines without a layer, --all shows them)" in text
    assert "   2 layers   3 lines\n" in text


def test_a_line_has_one_number_wherever_it_is_shown() -> None:
    weighing = python_3_7()
    pip = r"get-pip\.py"

    table = table_line(render_inspect(weighing, PIPE), pip)
    all_of = table_line(render_inspect(weighing, PIPE, wants_all=True), pip)
    (row,) = [line for line in inspect_csv(weighing).splitlines() if "get-pip" in line]
    markdown = table_line(inspect_markdown(weighing, PIPE, wants_all=True), pip)

    assert "  9  RUN" in table
    assert "  9  RUN" in all_of
    assert row.startswith("linux/amd64,9,8,")
    assert "| 9 | `RUN" in markdown


def test_metadata_and_unknown_lines_have_no_number_in_csv() -> None:
    (metadata,) = [r for r in inspect_csv(python_3_7()).splitlines() if "bash" in r]
    rows = inspect_csv(unresolved()).splitlines()[1:]

    assert metadata.startswith("linux/amd64,,,")
    assert [row.split(",")[1:3] for row in rows] == [
        ["", ""],
        ["", ""],
        ["", "0"],
        ["", "1"],
    ]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1_500, 2_100, "1.50 kB to 2.10 kB"),
        (1_500, 100_001, "at least 1.50 kB"),
        (999, 100_000, "at most 100 kB"),
        (999, 100_001, ""),
        (None, None, ""),
    ],
)
def test_bounds_that_tell_nothing_are_left_out(
    low: int | None, high: int | None, words: str
) -> None:
    size = Uncompressed("estimate", 2_000, low, high, "unseen_frames")

    assert bounds_in_words(size, 1_000) == words


def test_an_unknown_total_has_no_bound_below_what_is_compressed() -> None:
    layers = [
        a_weighed_layer(1, 9_000_000, unknown()),
        a_weighed_layer(2, 1_000_000, measured(3_000_000)),
    ]
    image = a_weighed_image(
        layers, [("ADD a /", 0), ("ADD b /", 1)], uncompressed=unknown()
    )

    assert "at least" not in render_inspect(a_weighing(image), PIPE)


def reasons() -> set[str]:
    """Every reason that a blob's bytes and a manifest's claims can give."""
    domain = Path(confidence.__file__).parent
    text = "".join(p.read_text(encoding="utf-8") for p in domain.glob("*.py"))
    made = r"(?:Uncompressed|unseen|_Inflated)\([^()]*\"([a-z_]+)\"\)"
    chosen = r"reason = \"([a-z_]+)\" if [a-z_]+ else \"([a-z_]+)\""
    by_claim = r"reason = \"([a-z_]+)\" if"
    either = {code for pair in re.findall(chosen, text) for code in pair}
    return set(re.findall(made, text)) | either | set(re.findall(by_claim, text))


def test_every_reason_of_a_measure_has_words() -> None:
    codes = reasons()

    assert {"multi_frame", "unseen_frames", "corrupt_gzip"} <= codes
    assert {"foreign", "encrypted", "format_mismatch"} <= codes
    for code in codes:
        for count in (1, 2):
            spelled = code.replace("_", " ")
            assert reason_words(code, count) != f"could not be measured: {spelled}"


def test_a_layer_that_occurs_twice_is_explained_below_the_sum() -> None:
    twice = a_weighed_layer("same", 2_000_000, measured(5_000_000))
    image = a_weighed_image([twice, twice], [("RUN a", 0), ("RUN a", 1)])

    text = render_inspect(a_weighing(image), PIPE)

    assert (
        "           2.0            10.0   a layer that occurs twice is pulled once"
        in text
    )


def test_an_image_without_layers_has_no_table_rows() -> None:
    text = render_inspect(a_weighing(a_weighed_image([], [])), PIPE)

    assert "0 B compressed" in text
    assert "0 layers   no history" in text


def test_every_platform_asked_for_has_its_block() -> None:
    weighing = python_3_7()
    arm = a_weighed_image(
        [a_weighed_layer(9, 40_000_000, measured(90_000_000))],
        [("ADD file:1 in /", 0)],
        platform=ARM,
    )

    text = render_inspect(a_weighing(*weighing.images, arm), PIPE)

    assert text.count(" compressed   ") == 2
    assert "Other platforms" not in text


def test_an_artifact_is_named_as_what_it_is() -> None:
    chart = Other(
        a_digest("chart"),
        "application/vnd.cncf.helm.config.v1+json",
        "artifact",
        18_200,
    )
    weighing = a_weighing(repository="charts/api")
    weighing = replace(weighing, kind="artifact", others=(chart,))

    assert render_inspect(weighing, PIPE) == (
        "hub/charts/api:3.7 is a Helm chart, not an image: 18.2 kB stored"
    )


def test_an_index_without_images_says_what_it_has() -> None:
    other = Other(a_digest("x"), "application/json", "attestation", None)
    text = render_inspect(replace(a_weighing(), others=(other, other)), PIPE)

    assert "is an index without any image" in text
    assert "2 attestations" in text


def test_a_manifest_without_sizes_is_not_weighed() -> None:
    weighing = replace(a_weighing(), kind="unweighable")

    assert "cannot be weighed" in render_inspect(weighing, PIPE)


def test_problems_become_warnings_once() -> None:
    problem = Problem("history_missing", "the config has no history")
    image = a_weighed_image([], [], problems=(problem,))

    weighing = replace(a_weighing(image), warnings=("odd\x1b[2J", "odd\x1b[2J"))

    assert warnings_of(weighing) == [
        "odd\\x1b[2J",
        "linux/amd64: the config has no history",
    ]


@given(st.text(max_size=80))
def test_no_control_character_of_a_registry_reaches_the_terminal(text: str) -> None:
    hostile = f"RUN \x1b]0;{text}\x07\u202e"
    image = a_weighed_image([a_weighed_layer(1, 5, measured(5))], [(hostile, 0)])
    weighing = replace(a_weighing(image, tag=hostile), warnings=(hostile,))

    printed = render_inspect(weighing, PIPE) + "".join(warnings_of(weighing))

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", printed)


def test_json_is_the_stable_object() -> None:
    found = json.loads(inspect_json(python_3_7()))

    assert found["schema"] == "weighbridge.inspect/1"
    assert found["images"][0]["layers"][4]["compressed_bytes"] == 196_877_237


def test_csv_has_a_row_a_line_with_bytes() -> None:
    head, first, *rows = inspect_csv(python_3_7()).splitlines()

    assert head.startswith("platform,line,layer,instruction,digest,compressed_bytes,")
    assert first.startswith("linux/amd64,1,0,ADD file:9177")
    assert len(rows) == 16


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_formula_in_csv_is_neutralised_config_blob_003(start: str) -> None:
    line = f'{start}HYPERLINK("http://a.example","b")'
    image = a_weighed_image([a_weighed_layer(1, 5, measured(5))], [(line, 0)])

    cell = inspect_csv(a_weighing(image)).splitlines()[1].split(",")[3]

    assert cell.startswith(f"\"'{start}HYPERLINK")


def test_markdown_keeps_a_line_inside_its_code_span() -> None:
    line = "RUN a | b `c` ``d`` @ada <img src=x>"
    image = a_weighed_image([a_weighed_layer(1, 5, measured(5))], [(line, 0)])

    row = inspect_markdown(a_weighing(image), PIPE).splitlines()[-1]

    assert row == (
        "| 5 | 100.0 | 5 | 1 | ``` RUN a \\| b `c` ``d`` @ada <img src=x> ``` |"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "RUN pip install --no-cache-dir torch==1.13.1",
            "Python packages (torch==1.13.1)",
        ),
        ("RUN apk add --no-cache git && rm -rf /x", "packages by apk (git)"),
        ("RUN npm ci", "Node packages"),
        ("RUN curl -fsSL https://a.example | sh", "a download"),
        ("ADD file:0123 in /", "a root file system"),
        ("COPY file:0123 in /app/x", "a file of the build context"),
        ("COPY . /app", "COPY . /app"),
        (
            "RUN make one two three four five six seven",
            "RUN make one two three four five six …",
        ),
    ],
)
def test_what_a_line_does_is_told_in_a_few_words(line: str, words: str) -> None:
    assert what_it_does(line) == words


def test_an_artifact_of_no_known_type_is_shown_with_its_type() -> None:
    assert artifact_words("application/x.tea", "artifact") == (
        "an artifact (application/x.tea)"
    )


def test_what_an_image_stands_on_is_said_below_its_sizes() -> None:
    found = {
        name: render_inspect(standing(base), PIPE).splitlines()[2]
        for name, base in {
            "base": BASE,
            "relative": replace(BASE, relation="relative"),
            "said": replace(BASE, layers=None, found_by="annotation"),
        }.items()
    }

    assert found == {
        "base": "on buildpack-deps:bullseye (6 layers, 329 MB, 94.6 %)",
        "relative": "shares a base with buildpack-deps:bullseye"
        " (6 layers, 329 MB, 94.6 %)",
        "said": "on buildpack-deps:bullseye,"
        " as its annotation says and no layer that is known",
    }
    assert "on buildpack-deps:bullseye (6" in inspect_markdown(standing(BASE), PIPE)


def test_programs_read_the_base_as_one_object() -> None:
    (image,) = json.loads(inspect_json(standing(BASE)))["images"]

    assert image["base"] == {
        "reference": "library/buildpack-deps:bullseye",
        "also": ["library/buildpack-deps:11"],
        "layers": 6,
        "compressed_bytes": 328_817_163,
        "share": 0.9458,
        "relation": "base",
        "found_by": "layers",
    }


BASE = BaseInWords(
    "library/buildpack-deps:bullseye",
    ("library/buildpack-deps:11",),
    6,
    "base",
    "layers",
)


def standing(base: BaseInWords) -> Weighing:
    weighing = python_3_7()
    (image,) = weighing.images
    return replace(weighing, images=(image.on_base(base),))
