"""What the lines of an image show that could be left out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest, a_layer, an_image
from weighbridge.domain.advice.advice import advise
from weighbridge.domain.advice.commit_tags import commit_of
from weighbridge.domain.advice.own_lines import Advice, advice_json
from weighbridge.domain.image.document import HistoryEntry
from weighbridge.domain.image.image_config import align, instruction
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import WeighedImage

MB = 1_000_000
ROOT = ("ADD file:0123 in /", 50 * MB)
CONTEXT = f"COPY dir:{'a' * 64} in /app"

Step = tuple[str, int | None]


def built(*steps: Step, comment: str = "") -> WeighedImage:
    """The image of a history: what each entry says and how many bytes it added, None
    for one without a layer."""
    sizes = [size for _, size in steps if size is not None]
    history = [
        HistoryEntry(text, None, size is None, comment if size is not None else "")
        for text, size in steps
    ]
    layers = [a_layer(("step", n), size) for n, size in enumerate(sizes)]
    lines, alignment = align(history, len(layers))
    return weigh_image(an_image(layers, lines=lines, history_alignment=alignment), {})


def advised(*steps: Step, base_layers: int = 0) -> list[Advice]:
    return list(advise(built(ROOT, *steps), base_layers))


def codes(*steps: Step) -> list[str]:
    return [advice.kind for advice in advised(*steps)]


def test_package_lists_that_stay_are_found_with_their_line_and_layer() -> None:
    line = "RUN apt-get update && apt-get install -y curl"

    (advice,) = advised((line, 30 * MB))

    assert advice.kind == "package_lists"
    assert (advice.saved_bytes, advice.is_estimate) == (8 * MB, True)
    assert "cache mount" in advice.basis
    (evidence,) = advice.evidence
    assert (evidence.line, evidence.layer) == (2, 1)
    assert evidence.digest == a_digest(("step", 1))
    assert evidence.instruction == line
    assert evidence.compressed_bytes == 30 * MB


@pytest.mark.parametrize(
    "text",
    [
        "RUN apt-get update && apt-get install -y curl",
        "/bin/sh -c apt-get update &&     apt-get install -y curl",
        "RUN /bin/sh -c apt-get update && apt-get install -y curl # buildkit",
        "|1 TOKEN=hunter2 /bin/sh -c apt-get update && apt-get install -y curl",
        "RUN |1 TOKEN=hunter2 /bin/sh -c apt-get update; apt install curl # buildkit",
        "/bin/bash -o pipefail -c DEBIAN_FRONTEND=noninteractive apt-get -q update",
    ],
)
def test_a_line_says_the_same_in_the_form_of_every_builder(text: str) -> None:
    (advice,) = advised((text, 30 * MB))

    assert advice.kind == "package_lists"
    assert "hunter2" not in repr(advice)


def test_lists_that_are_all_of_a_layer_are_measured() -> None:
    (advice,) = advised(("RUN set -e; apt-get -y update", 21_604_880))

    assert (advice.saved_bytes, advice.is_estimate) == (21_604_880, False)


def test_lists_that_a_later_line_removes_are_still_in_their_layer() -> None:
    (advice,) = advised(
        ("RUN apt-get update && apt-get install -y curl", 30 * MB),
        ("RUN rm -rf /var/lib/apt/lists/*", 200),
    )

    assert "frees nothing" in advice.text
    assert [each.line for each in advice.evidence] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*",
        "RUN apt-get update; apt-get install -y x; apt-get dist-clean",
        "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/{apt,dpkg}",
        "RUN apt-get update && apt-get install -y x && find /var/lib/apt -delete",
        "RUN apt-get update && /build/cleanup.sh",
        "RUN echo apt-get update",
        "RUN apk add --no-cache curl",
        "RUN apk update && apk add curl && rm -rf /var/cache/apk/*",
        "RUN yum install -y curl && yum clean all",
        "RUN pip install --no-cache-dir torch",
        "RUN PIP_NO_CACHE_DIR=1 pip install torch",
        "RUN pip install torch && rm -rf ~/.cache",
        "RUN uv pip install torch",
        "RUN npm ci && npm cache clean --force",
        "RUN apk add --no-cache --virtual .b gcc && make && apk del .b",
        "RUN apt-get install -y gcc && make && apt-get purge -y gcc",
        "RUN apt-get install -y python3-dev",
        "RUN curl -O https://host/a.tar && tar xf a.tar && chown -R app /app",
        "RUN chown -R app:app /app\npip install --no-cache-dir torch",
        "RUN set -ex\nchown -R app /app\ncp -r /a /b",
        "RUN echo hello > /app/x && chown app /app/x",
        "COPY /out /app",
        "COPY requirements.txt .",
        "RUN true",
        "",
    ],
)
def test_nothing_is_said_of_a_line_that_does_it_right_or_may(text: str) -> None:
    assert codes((text, 40 * MB)) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("RUN apk update && apk add curl", "package_lists"),
        ("RUN apk add -U curl", "package_lists"),
        ("RUN yum -y install curl", "package_lists"),
        ("RUN microdnf install -y curl", "package_lists"),
        ("RUN pip3 install -r requirements.txt", "package_cache"),
        ("RUN python3 -m pip install torch", "package_cache"),
        ("RUN cd /app && npm ci --omit=dev", "package_cache"),
        ("RUN yarn install --frozen-lockfile", "package_cache"),
        ("RUN apk add --no-cache build-base", "build_tools"),
        ("RUN apt-get install -y --no-install-recommends gcc=4:12 make", "build_tools"),
        ("RUN chown -R app:app /app", "written_twice"),
        ("RUN useradd app && chmod -R g+rwX $HOME /srv", "written_twice"),
        ("RUN mv /app/dist /srv/www", "written_twice"),
    ],
)
def test_what_a_line_leaves_behind_has_a_code(text: str, code: str) -> None:
    assert codes((text, 40 * MB)) == [code]


@pytest.mark.parametrize(
    "text", ["RUN yum install -y curl", "RUN dnf -y upgrade", "RUN apk add -U curl"]
)
def test_what_is_installed_beside_lists_is_not_said_to_go_with_them(text: str) -> None:
    (found,) = advised((text, 40 * MB))

    assert found.is_estimate
    assert found.saved_bytes is not None
    assert found.saved_bytes <= 10 * MB


def test_what_is_moved_from_a_mount_may_be_new() -> None:
    (found,) = advised(("RUN mv ~/.cache/model /srv/model", 40 * MB))
    moved, *_ = advised(("COPY /out /app", 40 * MB), ("RUN mv /app /srv/a", 40 * MB))

    assert (found.is_estimate, moved.is_estimate) == (True, False)


def test_a_layer_without_room_for_lists_holds_none() -> None:
    """Of a cache mount nothing is left in the layer, and the history does not show
    one."""
    assert codes(("RUN apt-get update && apt-get install -y tzdata", 300_000)) == []


def test_a_cache_takes_half_of_a_layer_that_has_nothing_else() -> None:
    (alone,) = advised(("RUN pip install torch", 40 * MB))
    (beside,) = advised(("RUN pip install torch && make all", 40 * MB))

    assert (alone.saved_bytes, alone.is_estimate) == (20 * MB, True)
    assert beside.saved_bytes is None


def test_a_variable_anywhere_may_say_that_there_is_no_cache() -> None:
    """That of a base too."""
    image = built(
        ROOT,
        ("ENV PIP_NO_CACHE_DIR=1", None),
        ('CMD ["python3"]', None),
        ("RUN pip install torch", 40 * MB),
    )

    assert advise(image) == []


def test_tools_beside_other_packages_have_no_number() -> None:
    (advice,) = advised(("RUN apt-get install -y gcc make libssl-dev git", 90 * MB))
    (alone,) = advised(("RUN apt-get install -y gcc make libssl-dev", 90 * MB))

    assert advice.saved_bytes is None
    assert (alone.saved_bytes, alone.is_estimate) == (90 * MB, True)


def test_a_copy_that_is_chowned_is_stored_twice() -> None:
    (advice,) = advised(
        ("COPY app /srv/app", 280_457_976),
        ("RUN chown -R 1000:0 /srv/app && chmod -R g+rwX /srv/app", 280_459_883),
    )

    assert advice.kind == "written_twice"
    assert (advice.saved_bytes, advice.is_estimate) == (280_459_883, False)
    assert "what line 2 wrote" in advice.text
    assert "--chown" in advice.text
    assert [each.line for each in advice.evidence] == [3, 2]


@pytest.mark.parametrize(
    "text", ["COPY . /app", "COPY ./ .", 'COPY ["." "/app"]', "ADD . /app", CONTEXT]
)
def test_a_large_copy_of_the_whole_context_has_no_number(text: str) -> None:
    (advice,) = advised((text, 120 * MB))

    assert advice.kind == "large_copy"
    assert advice.saved_bytes is None
    assert advice.evidence[0].compressed_bytes == 120 * MB
    assert codes((text, 20 * MB)) == []


def test_nothing_is_said_of_the_lines_of_a_base() -> None:
    theirs = ("RUN apt-get update && apt-get install -y curl", 30 * MB)
    image = built(ROOT, theirs, ('CMD ["bash"]', None), ("RUN make", 2 * MB))

    assert advise(image) == []
    assert [a.kind for a in advise(built(ROOT, theirs))] == ["package_lists"]
    assert advise(built(ROOT, theirs, ("RUN make", MB)), 2) == []


def test_a_last_command_does_not_end_a_base() -> None:
    steps = (("RUN apt-get update", 30 * MB), ('CMD ["app"]', None), ("USER app", None))

    assert codes(*steps) == ["package_lists"]


def test_nothing_is_said_where_lines_and_layers_do_not_fit() -> None:
    lines, alignment = align([HistoryEntry("RUN apt-get update", None, None, "")], 3)
    layers = [a_layer(n, 30 * MB) for n in range(3)]
    image = weigh_image(an_image(layers, lines=lines, history_alignment=alignment), {})

    assert alignment == "unresolved"
    assert advise(image) == []


def test_nothing_is_said_of_lines_that_were_squashed() -> None:
    """Another line of the same layer may remove what one leaves behind."""
    history = [
        HistoryEntry("RUN apt-get update", None, True, ""),
        HistoryEntry("COPY . /app", None, True, ""),
        HistoryEntry("RUN rm -rf /var/lib/apt/lists/*", None, None, "merge sha256:a"),
    ]
    lines, alignment = align(history, 1)
    image = an_image(
        [a_layer("one", 90 * MB)], lines=lines, history_alignment=alignment
    )

    assert advise(weigh_image(image, {})) == []


def test_nothing_follows_from_what_a_line_that_was_cut_lacks() -> None:
    text = f"RUN apt-get update && echo {'x' * 9000} && rm -rf /var/lib/apt/lists/*"

    assert "lists" not in instruction(text)
    assert codes((text, 40 * MB)) == []


def test_many_builds_of_a_commit_are_told_from_aliases() -> None:
    image = built(ROOT)
    builds = {f"main-3f2a91c-{n}": a_digest(n) for n in range(3)}
    aliases = {f"v{n}-3f2a91c": a_digest(0) for n in range(5)}

    (advice,) = advise(image, tag="main-3f2a91c-0", tags=builds | aliases)

    assert advice.kind == "commit_tags"
    assert "8 tags" in advice.text
    assert "3 different images" in advice.text
    assert advice.saved_bytes is None
    assert advise(image, tag="v1-3f2a91c", tags=aliases) == []
    assert advise(image, tag="latest", tags=builds) == []


@pytest.mark.parametrize(
    ("tag", "commit"),
    [
        ("main-3f2a91c", "3f2a91c"),
        ("1.4-12-g3f2a91c", "3f2a91c"),
        ("sha-3f2a91c0d4e5", "3f2a91c0d4e5"),
        ("20260101", None),
        ("defaced", None),
        ("3.7-rc", None),
        ("build3f2a91c", None),
        ("1.2.3", None),
    ],
)
def test_a_date_or_a_word_is_no_commit(tag: str, commit: str | None) -> None:
    assert commit_of(tag) == commit


def test_json_has_plain_keys() -> None:
    (row,) = advice_json(advised(("RUN apt-get update && apt-get install x", 9 * MB)))

    assert row.keys() == {
        "code",
        "text",
        "saved_bytes",
        "is_estimate",
        "basis",
        "evidence",
        "tags",
    }
    assert row["evidence"] == [
        {
            "line": 2,
            "layer": 1,
            "digest": a_digest(("step", 1)),
            "instruction": "RUN apt-get update && apt-get install x",
            "compressed_bytes": 9 * MB,
        }
    ]


WORDS = st.sampled_from(
    [
        "RUN",
        "COPY",
        "ADD",
        "ENV",
        "CMD",
        ".",
        "/app",
        "&&",
        ";",
        "|",
        "apt-get",
        "update",
        "install",
        "-y",
        "gcc",
        "pip",
        "npm",
        "ci",
        "apk",
        "add",
        "chown",
        "chmod",
        "-R",
        "app",
        "mv",
        "rm",
        "-rf",
        "/var/lib/apt/lists/*",
        '"',
        "'",
        "$(",
        ")",
        "\\",
        "#",
        "buildkit",
        "|1",
        "A=b",
        "/bin/sh",
        "-c",
        "dir:0",
        "in",
        "/",
    ]
)
TEXTS = st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=60)
STEPS = st.lists(st.tuples(TEXTS, st.none() | st.integers(0, 400 * MB)), max_size=8)


@given(STEPS, st.integers(0, 8))
def test_advice_never_takes_more_than_a_layer_has(
    steps: list[Step], base_layers: int
) -> None:
    image = built(*steps)

    found = advise(image, base_layers)

    taken: dict[int, int] = {}
    for advice in found:
        if advice.saved_bytes is None:
            continue
        (layer, *_) = [each.layer for each in advice.evidence]
        assert layer is not None
        taken[layer] = taken.get(layer, 0) + advice.saved_bytes
        assert advice.saved_bytes > 0
    for layer, saved in taken.items():
        assert layer >= base_layers
        assert saved <= image.layers[layer].compressed_bytes
    assert sum(taken.values()) <= image.compressed_bytes


@given(STEPS)
def test_every_evidence_is_a_line_of_the_image(steps: list[Step]) -> None:
    image = built(*steps)

    for advice in advise(image):
        for each in advice.evidence:
            assert each.layer is not None
            assert image.layers[each.layer].digest == each.digest
            assert each.instruction in {line.instruction for line in image.lines}
