"""debian and buildpack-deps: what the large official images stand on."""

from typing import Final

from weighbridge.demo.content.recipe import (
    Attestation,
    ImageRecipe,
    RecipeStep,
    Variants,
    step,
)
from weighbridge.domain.image.platform import Platform

ARM64: Final = Platform("linux", "arm64")
ARM_V5: Final = Platform("linux", "arm", "v5")

_APT: Final = "apt-get update; apt-get install -y --no-install-recommends"
_CLEAN: Final = "rm -rf /var/lib/apt/lists/*"
_COMPILERS: Final = (
    "autoconf automake bzip2 default-libmysqlclient-dev dpkg-dev file g++ gcc "
    "imagemagick libbz2-dev libc6-dev libcurl4-openssl-dev libdb-dev libevent-dev "
    "libffi-dev libgdbm-dev libglib2.0-dev libgmp-dev libjpeg-dev libkrb5-dev "
    "liblzma-dev libmagickcore-dev libmagickwand-dev libmaxminddb-dev "
    "libncurses5-dev libncursesw5-dev libpng-dev libpq-dev libreadline-dev "
    "libsqlite3-dev libssl-dev libtool libwebp-dev libxml2-dev libxslt-dev "
    "libyaml-dev make patch unzip xz-utils zlib1g-dev"
)

DEBIAN_BULLSEYE: Final = ImageRecipe(
    dialect="classic",
    style="docker",
    steps=(
        step(
            "2023-01-11T02:34:29Z",
            "ADD file:917750a82b29f8f7f88a121017bd9dfeb0fbcc8f0697a009f08b6b58246eff4b"
            " in /",
            55_025_206,
            124_000_000,
        ),
        step("2023-01-11T02:34:30Z", 'CMD ["bash"]'),
    ),
)

BUILDPACK_BULLSEYE: Final = ImageRecipe(
    base=DEBIAN_BULLSEYE,
    dialect="classic",
    style="docker",
    steps=(
        step(
            "2023-01-11T03:04:10Z",
            f"RUN set -eux; \t{_APT} \t\tca-certificates \t\tcurl \t\tnetbase"
            f" \t\twget \t; \t{_CLEAN}",
            5_163_370,
            10_400_000,
        ),
        step(
            "2023-01-11T03:04:16Z",
            f"RUN set -ex; \tif ! command -v gpg > /dev/null; then \t\t{_APT}"
            f" \t\t\tgnupg \t\t\tdirmngr \t\t; \t\t{_CLEAN}; \tfi",
            10_876_737,
            19_400_000,
        ),
        step(
            "2023-01-11T03:04:36Z",
            "RUN apt-get update && apt-get install -y --no-install-recommends"
            " \t\tgit \t\tmercurial \t\topenssh-client \t\tsubversion"
            f" \t\t\t\tprocps \t&& {_CLEAN}",
            54_583_611,
            147_000_000,
        ),
        step(
            "2023-01-11T03:05:32Z",
            f"RUN set -ex; \t{_APT} \t\t{_COMPILERS} \t; \t{_CLEAN}",
            196_877_237,
            509_900_000,
        ),
    ),
)


def _trixie(
    built: tuple[str, str, str, str],
    suite: str,
    compressed: tuple[int, int, int, int],
    uncompressed: tuple[int, int, int, int],
    platform: Platform,
) -> ImageRecipe:
    """buildpack-deps:trixie; its first step alone is debian:trixie."""
    root, curl, scm, compilers = zip(built, compressed, uncompressed, strict=True)
    return ImageRecipe(
        base=ImageRecipe(steps=(_root(root, suite, platform),), platform=platform),
        platform=platform,
        steps=(
            _step(
                curl,
                f"RUN set -eux; \t{_APT} ca-certificates curl gnupg netbase sq"
                " wget \t; \tapt-get dist-clean",
            ),
            _step(
                scm,
                f"RUN set -eux; \t{_APT} git mercurial openssh-client subversion"
                " procps \t; \tapt-get dist-clean",
            ),
            _step(
                compilers,
                f"RUN set -ex; \t{_APT} {_COMPILERS} \t; \tapt-get dist-clean",
            ),
        ),
    )


def _root(figure: tuple[str, int, int], suite: str, platform: Platform) -> RecipeStep:
    architecture = {"arm/v5": "armel", "amd64": "amd64", "arm64": "arm64"}[
        f"{platform.architecture}/{platform.variant}".rstrip("/")
    ]
    return _step(figure, f"# debian.sh --arch '{architecture}' out/ {suite}")


def _step(figure: tuple[str, int, int], instruction: str) -> RecipeStep:
    at, compressed_bytes, uncompressed_bytes = figure
    return step(at, instruction, compressed_bytes, uncompressed_bytes)


_JULY: Final = (
    "2026-07-13T00:00:00Z",
    "2026-07-14T01:43:51Z",
    "2026-07-14T02:29:57Z",
    "2026-07-14T03:18:11Z",
)
_JULY_SUITE: Final = "'trixie' '@1783900800'"

BUILDPACK_TRIXIE: Final = _trixie(
    _JULY,
    _JULY_SUITE,
    (49_312_572, 25_638_468, 67_792_989, 236_258_363),
    (119_900_000, 64_500_000, 183_400_000, 632_100_000),
    Platform("linux", "amd64"),
)
BUILDPACK_TRIXIE_ARM64: Final = _trixie(
    _JULY,
    _JULY_SUITE,
    (49_674_184, 25_026_881, 67_595_593, 226_376_937),
    (138_800_000, 66_700_000, 191_200_000, 628_500_000),
    ARM64,
)
BUILDPACK_TRIXIE_ARM_V5: Final = _trixie(
    _JULY,
    _JULY_SUITE,
    (47_489_966, 24_364_855, 65_329_503, 205_972_170),
    (108_600_000, 58_300_000, 165_700_000, 541_000_000),
    ARM_V5,
)

BUILDPACK_TRIXIE_OCTOBER: Final = _trixie(
    (
        "2025-10-20T00:00:00Z",
        "2025-10-21T01:12:40Z",
        "2025-10-21T01:31:02Z",
        "2025-10-21T02:03:55Z",
    ),
    "'trixie' '@1760918400'",
    (49_279_531, 25_612_290, 67_779_341, 235_930_112),
    (119_800_000, 64_400_000, 183_300_000, 631_300_000),
    Platform("linux", "amd64"),
)
"""The build before; figures close to July's, by hand."""

BUILDPACK_DEPS_TRIXIE: Final = Variants(
    (
        (BUILDPACK_TRIXIE, Attestation((17_202_318, 10_462))),
        (BUILDPACK_TRIXIE_ARM_V5, Attestation((16_964_516, 10_534))),
        (BUILDPACK_TRIXIE_ARM64, Attestation((17_285_975, 10_554))),
    )
)


def _slim(
    platform: Platform, compressed_bytes: int, uncompressed_bytes: int
) -> ImageRecipe:
    figure = ("2026-08-03T00:00:00Z", compressed_bytes, uncompressed_bytes)
    return ImageRecipe(
        steps=(_root(figure, "'trixie' '@1785715200'", platform),), platform=platform
    )


TRIXIE_SLIM: Final = _slim(Platform("linux", "amd64"), 29_780_765, 78_600_000)
DEBIAN_TRIXIE_SLIM: Final = Variants(
    (
        (TRIXIE_SLIM, Attestation((1_976_119,))),
        (_slim(ARM_V5, 27_954_714, 70_300_000), Attestation((1_979_043,))),
        (_slim(ARM64, 30_143_609, 97_200_000), None),
    )
)
