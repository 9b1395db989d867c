"""python: the whole image, -slim and -alpine, of 2023 and of 2026."""

from typing import Final

from weighbridge.demo.content.recipe import (
    Attestation,
    ImageRecipe,
    RecipeStep,
    Variants,
    step,
)
from weighbridge.demo.figures.alpine import ALPINE_3_17, ALPINE_AMD64
from weighbridge.demo.figures.debian import (
    BUILDPACK_BULLSEYE,
    BUILDPACK_TRIXIE,
    BUILDPACK_TRIXIE_ARM_V5,
    BUILDPACK_TRIXIE_OCTOBER,
    TRIXIE_SLIM,
)

_PATH: Final = (
    "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
    ":/sbin:/bin"
)
_APT: Final = "apt-get update; \tapt-get install -y --no-install-recommends"
_FETCH: Final = (
    'wget -O python.tar.xz "https://www.python.org/ftp/python/'
    '${PYTHON_VERSION%%[a-z]*}/Python-$PYTHON_VERSION.tar.xz"; '
    "./configure --enable-optimizations --with-lto --with-system-ffi; "
    'make -j "$nproc"; make install'
)
_LINKS: Final = (
    "RUN set -eux; \tfor src in idle3 pydoc3 python3 python3-config; do "
    '\t\tdst="$(echo "$src" | tr -d 3)"; \t\t[ -s "/usr/local/bin/$src" ]; '
    '\t\t[ ! -e "/usr/local/bin/$dst" ]; '
    '\t\tln -svT "$src" "/usr/local/bin/$dst"; \tdone'
)
_GET_PIP: Final = (
    'wget -O get-pip.py "$PYTHON_GET_PIP_URL"; \techo "$PYTHON_GET_PIP_SHA256'
    ' *get-pip.py" | sha256sum -c -; \tpython get-pip.py --no-cache-dir --no-compile;'
    " \trm -f get-pip.py; \tpip --version"
)


def _release_3_7(at: str) -> tuple[RecipeStep, ...]:
    return (
        step(at, "ENV GPG_KEY=0D96DF4D4110E5C43FBFB17F2D347EA6AA65421D"),
        step(at, "ENV PYTHON_VERSION=3.7.16"),
    )


def _pip_3_7(at: str) -> tuple[RecipeStep, ...]:
    commit = "66030fa03382b4914d4c4d0896961a0bdeeeb274"
    checksum = "1e501cf004eac1b7eb1f97266d28f995ae835d30250bec7f8850562703067dc6"
    url = f"https://github.com/pypa/get-pip/raw/{commit}/public/get-pip.py"
    return (
        step(at, "ENV PYTHON_PIP_VERSION=22.0.4"),
        step(at, "ENV PYTHON_SETUPTOOLS_VERSION=57.5.0"),
        step(at, f"ENV PYTHON_GET_PIP_URL={url}"),
        step(at, f"ENV PYTHON_GET_PIP_SHA256={checksum}"),
    )


PYTHON_3_7: Final = ImageRecipe(
    base=BUILDPACK_BULLSEYE,
    dialect="classic",
    style="docker",
    steps=(
        step("2023-01-11T13:06:43Z", _PATH),
        step("2023-01-11T13:06:43Z", "ENV LANG=C.UTF-8"),
        step(
            "2023-01-11T13:06:50Z",
            f"RUN set -eux; \t{_APT} libbluetooth-dev tk-dev uuid-dev;"
            " \trm -rf /var/lib/apt/lists/*",
            6_291_002,
            17_600_000,
        ),
        *_release_3_7("2023-01-11T16:45:18Z"),
        step(
            "2023-01-24T00:48:38Z",
            f'RUN set -eux; \t\tsavedAptMark="$(apt-mark showmanual)"; \t{_APT}'
            f" patchelf; \t\t{_FETCH}",
            15_949_846,
            42_100_000,
        ),
        step("2023-01-24T00:48:38Z", _LINKS, 235),
        *_pip_3_7("2023-01-24T00:48:39Z"),
        step(
            "2023-01-24T00:48:44Z",
            f"RUN set -eux; \t\t{_GET_PIP}",
            2_886_092,
            9_000_000,
        ),
        step("2023-01-24T00:48:44Z", 'CMD ["python3"]'),
    ),
)

_BULLSEYE_SLIM: Final = ImageRecipe(
    dialect="classic",
    style="docker",
    steps=(
        step(
            "2023-01-11T02:34:44Z",
            "ADD file:e2398d0bf516084b2b37ba1bb76b86d56e66999831df692461679fbd6a5d8eb6"
            " in /",
            31_396_972,
            80_500_000,
        ),
        step("2023-01-11T02:34:44Z", 'CMD ["bash"]'),
    ),
)

PYTHON_3_7_SLIM: Final = ImageRecipe(
    base=_BULLSEYE_SLIM,
    dialect="classic",
    style="docker",
    steps=(
        step("2023-01-11T13:21:07Z", _PATH),
        step("2023-01-11T13:21:07Z", "ENV LANG=C.UTF-8"),
        step(
            "2023-01-11T13:21:12Z",
            f"RUN set -eux; \t{_APT} ca-certificates netbase tzdata;"
            " \trm -rf /var/lib/apt/lists/*",
            1_076_311,
            3_300_000,
        ),
        *_release_3_7("2023-01-11T16:52:12Z"),
        step(
            "2023-01-24T00:55:43Z",
            f'RUN set -eux; \t\tsavedAptMark="$(apt-mark showmanual)"; \t{_APT}'
            f" dpkg-dev gcc gnupg dirmngr libbluetooth-dev; \t\t{_FETCH}",
            10_729_376,
            30_200_000,
        ),
        step("2023-01-24T00:55:44Z", _LINKS, 234),
        *_pip_3_7("2023-01-24T00:55:44Z"),
        step(
            "2023-01-24T00:55:55Z",
            f"RUN set -eux; \t\t{_APT} wget; \t\t{_GET_PIP}",
            3_178_385,
            10_500_000,
        ),
        step("2023-01-24T00:55:55Z", 'CMD ["python3"]'),
    ),
)

PYTHON_3_7_ALPINE: Final = ImageRecipe(
    base=ALPINE_3_17,
    dialect="classic",
    style="docker",
    steps=(
        step("2023-01-09T18:05:33Z", _PATH),
        step("2023-01-09T20:09:04Z", "ENV LANG=C.UTF-8"),
        step(
            "2023-01-09T20:09:06Z",
            "RUN set -eux; \tapk add --no-cache \t\tca-certificates \t\ttzdata \t;",
            622_912,
            1_900_000,
        ),
        *_release_3_7("2023-01-09T21:01:58Z"),
        step(
            "2023-01-24T01:16:05Z",
            "RUN set -eux; \t\tapk add --no-cache --virtual .build-deps gnupg tar xz"
            f" bluez-dev bzip2-dev dpkg-dev dpkg expat-dev gcc musl-dev; \t\t{_FETCH};"
            " \tapk del --no-network .build-deps",
            11_050_948,
            30_570_000,
        ),
        step("2023-01-24T01:16:05Z", _LINKS, 231),
        *_pip_3_7("2023-01-24T01:16:06Z"),
        step(
            "2023-01-24T01:16:12Z",
            f"RUN set -eux; \t\t{_GET_PIP}",
            2_885_718,
            9_600_000,
        ),
        step("2023-01-24T01:16:12Z", 'CMD ["python3"]'),
    ),
)

_SHA_3_14_6: Final = "143b1dddefaec3bd2e21e3b839b34a2b7fb9842272883c576420d605e9f30c63"
_SHA_3_14_7: Final = "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81"


def _on_trixie(
    base: ImageRecipe,
    at: str,
    version: str,
    compressed: tuple[int, int, int],
    uncompressed: tuple[int, int],
) -> ImageRecipe:
    """The whole python: development headers, the interpreter, its short names."""
    return ImageRecipe(
        base=base,
        platform=base.platform,
        steps=(
            step(at, _PATH),
            step(
                at,
                f"RUN set -eux; \t{_APT} libbluetooth-dev tk-dev uuid-dev \t;"
                " \tapt-get dist-clean",
                compressed[0],
                uncompressed[0],
            ),
            step(at, f"ENV PYTHON_VERSION={version}"),
            step(at, f"ENV PYTHON_SHA256={_SHA_3_14_6}"),
            step(
                at,
                f'RUN set -eux; \t\tsavedAptMark="$(apt-mark showmanual)"; \t{_APT}'
                f" libzstd-dev \t; \t\t{_FETCH}",
                compressed[1],
                uncompressed[1],
            ),
            step(at, _LINKS, compressed[2]),
            step(at, 'CMD ["python3"]'),
        ),
    )


PYTHON_TRIXIE: Final = _on_trixie(
    BUILDPACK_TRIXIE,
    "2026-07-14T04:42:51Z",
    "3.14.6",
    (6_085_242, 29_635_740, 249),
    (17_500_000, 73_600_000),
)
PYTHON_3_TRIXIE: Final = Variants(
    (
        (PYTHON_TRIXIE, Attestation((17_745_497, 24_877))),
        (
            _on_trixie(
                BUILDPACK_TRIXIE_ARM_V5,
                "2026-07-14T05:31:20Z",
                "3.14.6",
                (5_797_251, 28_344_946, 249),
                (15_600_000, 68_900_000),
            ),
            Attestation((17_507_753, 25_015)),
        ),
    )
)
PYTHON_3_13_TRIXIE: Final = _on_trixie(
    BUILDPACK_TRIXIE_OCTOBER,
    "2025-10-21T04:12:07Z",
    "3.13.9",
    (6_083_918, 27_401_226, 250),
    (17_400_000, 68_300_000),
)


def _small(
    base: ImageRecipe,
    times: tuple[str, str],
    lines: tuple[str, str],
    compressed: tuple[int, int, int],
    uncompressed: tuple[int, int],
) -> ImageRecipe:
    first, last = times
    return ImageRecipe(
        base=base,
        steps=(
            step(first, _PATH),
            step(first, lines[0], compressed[0], uncompressed[0]),
            step(first, "ENV PYTHON_VERSION=3.14.7"),
            step(first, f"ENV PYTHON_SHA256={_SHA_3_14_7}"),
            step(last, lines[1], compressed[1], uncompressed[1]),
            step(last, _LINKS, compressed[2]),
            step(last, 'CMD ["python3"]'),
        ),
    )


PYTHON_3_SLIM: Final = Variants(
    (
        (
            _small(
                TRIXIE_SLIM,
                ("2026-08-05T16:26:17Z", "2026-08-05T16:33:44Z"),
                (
                    f"RUN set -eux; \t{_APT} ca-certificates netbase tzdata \t;"
                    " \tapt-get dist-clean",
                    f'RUN set -eux; \t\tsavedAptMark="$(apt-mark showmanual)"; \t{_APT}'
                    f" dpkg-dev gcc gnupg libbluetooth-dev; \t\t{_FETCH}",
                ),
                (1_293_282, 12_363_513, 249),
                (3_800_000, 40_100_000),
            ),
            Attestation((2_160_901, 23_846)),
        ),
    )
)
PYTHON_3_ALPINE: Final = Variants(
    (
        (
            _small(
                ALPINE_AMD64,
                ("2026-09-17T21:47:39Z", "2026-09-17T21:50:24Z"),
                (
                    "RUN set -eux; \tapk add --no-cache \t\tca-certificates"
                    " \t\ttzdata \t;",
                    "RUN set -eux; \t\tapk add --no-cache --virtual .build-deps"
                    " bluez-dev bzip2-dev dpkg-dev dpkg findutils g++ gcc;"
                    f" \t\t{_FETCH}; \tapk del --no-network .build-deps",
                ),
                (416_264, 13_508_749, 248),
                (1_300_000, 36_900_000),
            ),
            Attestation((614_583, 22_685)),
        ),
    )
)
