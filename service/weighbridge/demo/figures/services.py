"""The services of an invented company: shop/api and its year, and some others."""

from typing import Final

from msgspec import Struct

from weighbridge.demo.content.recipe import (
    Attestation,
    Chart,
    ImageRecipe,
    Push,
    RecipeStep,
    Variants,
    step,
)
from weighbridge.demo.figures.alpine import ALPINE_AMD64, ALPINE_ARM64
from weighbridge.demo.figures.python import (
    PYTHON_3_7,
    PYTHON_3_7_ALPINE,
    PYTHON_3_13_TRIXIE,
    PYTHON_TRIXIE,
)

_APT: Final = "RUN apt-get update && apt-get install -y --no-install-recommends"
_LISTS: Final = "&& rm -rf /var/lib/apt/lists/*"
_PIP: Final = "RUN pip install --no-cache-dir"


class _Release(Struct, frozen=True):
    """One shop/api: what differs from version to version, in kilobytes compressed."""

    version: str
    at: str
    packages: str
    apt_kb: int
    requirements_kb: int
    source_kb: int
    bytecode_kb: int
    aliases: tuple[str, ...] = ()


# requirements.txt changed with 1.2.0, the packages six times, the source always.
# 1.3.0 copied node_modules by mistake; a .dockerignore in 1.3.1 put it right.
_LIBPQ: Final = "libmagic1 libpq5"
_POPPLER: Final = f"{_LIBPQ} poppler-utils"
_FONTS: Final = f"{_POPPLER} fonts-dejavu"
_CAIRO: Final = f"{_FONTS} libcairo2"
_PANGO: Final = f"{_CAIRO} libpango-1.0-0 imagemagick"
_FFMPEG: Final = "ffmpeg fonts-dejavu libcairo2 libmagic1 libpq5 poppler-utils"
_RELEASES: Final = (
    _Release("1.0.0", "2025-10-07T09:02:11Z", _LIBPQ, 12_400, 27_900, 11_900, 1_100),
    _Release("1.0.1", "2025-10-28T08:40:52Z", _LIBPQ, 12_400, 27_900, 12_712, 1_100),
    _Release("1.1.0", "2025-11-18T08:15:03Z", _POPPLER, 29_300, 27_900, 12_712, 1_100),
    _Release("1.1.1", "2025-12-09T10:21:44Z", _POPPLER, 29_300, 27_900, 13_103, 1_100),
    _Release("1.2.0", "2026-01-20T08:33:29Z", _POPPLER, 29_300, 41_900, 16_103, 1_200),
    _Release("1.2.1", "2026-02-10T09:11:05Z", _POPPLER, 29_300, 41_900, 16_796, 1_200),
    _Release("1.2.2", "2026-03-03T13:47:30Z", _POPPLER, 29_300, 41_900, 16_905, 1_200),
    _Release("1.3.0", "2026-03-24T08:20:18Z", _POPPLER, 29_300, 41_900, 92_305, 1_300),
    _Release("1.3.1", "2026-04-14T07:58:41Z", _POPPLER, 29_300, 41_900, 20_505, 1_400),
    _Release("1.3.2", "2026-05-12T08:05:57Z", _FONTS, 32_100, 41_900, 20_505, 1_400),
    _Release(
        "1.3.3", "2026-06-09T08:49:13Z", _CAIRO, 36_310, 41_900, 20_505, 1_400, ("1.3",)
    ),
    _Release("1.4.0", "2026-07-07T09:30:20Z", _PANGO, 43_400, 41_900, 20_505, 1_500),
    _Release("1.4.1", "2026-08-04T08:44:36Z", _FFMPEG, 58_200, 41_900, 20_444, 1_561),
    _Release(
        "1.4.2",
        "2026-09-01T08:18:22Z",
        _FFMPEG,
        58_200,
        41_900,
        20_600,
        1_900,
        ("1.4",),
    ),
)


def _release(release: _Release) -> ImageRecipe:
    """Six layers on python:3.7; what did not change keeps its digest."""
    source = release.source_kb * 1000
    return ImageRecipe(
        base=PYTHON_3_7,
        steps=(
            *_dependencies(release.requirements_kb),
            _packages(release),
            step(release.at, "COPY . /app", source, int(source * 2.34)),
            *_ending(release.at, release.bytecode_kb),
        ),
    )


def _dependencies(requirements_kb: int) -> tuple[RecipeStep, ...]:
    """The same layers for as long as requirements.txt is the same."""
    at = "2025-10-07T09:01:02Z" if requirements_kb < 40_000 else "2026-01-20T08:31:40Z"
    compressed_bytes = requirements_kb * 1000
    return (
        step("2025-10-07T08:59:30Z", "WORKDIR /app", 92),
        step(at, "COPY requirements.txt ./", 1_200),
        step(
            at,
            f"{_PIP} -r requirements.txt",
            compressed_bytes,
            int(compressed_bytes * 3.04),
        ),
    )


def _packages(release: _Release) -> RecipeStep:
    """Built for the first release with this line, then from the builder's cache."""
    first = next(other for other in _RELEASES if other.packages == release.packages)
    compressed_bytes = release.apt_kb * 1000
    return step(
        first.at,
        f"{_APT} {release.packages} {_LISTS}",
        compressed_bytes,
        int(compressed_bytes * 2.57),
    )


def _ending(at: str, bytecode_kb: int) -> tuple[RecipeStep, ...]:
    compressed_bytes = bytecode_kb * 1000
    return (
        step(
            at,
            "RUN python -m compileall -q /app",
            compressed_bytes,
            int(compressed_bytes * 2.79),
        ),
        step(at, "ENV PYTHONUNBUFFERED=1"),
        step(at, "EXPOSE 8080/tcp"),
        step(at, "USER app"),
        step(at, 'CMD ["python" "-m" "shop.api"]'),
    )


_TORCH_AT: Final = "2026-09-22T08:11:52Z"
SHOP_API_1_5_0: Final = ImageRecipe(
    base=PYTHON_3_7,
    steps=(
        *_dependencies(41_900),
        step(_TORCH_AT, f"{_PIP} torch==1.13.1", 612_400_000, 1_338_900_000),
        # The same line as before, run again because of the line above it.
        step(_TORCH_AT, f"{_APT} {_FFMPEG} {_LISTS}", 58_210_000, 149_400_000),
        step(_TORCH_AT, "COPY . /app", 20_620_000, 48_200_000),
        *_ending(_TORCH_AT, 1_937),
    ),
)


def _shop_api() -> tuple[Push, ...]:
    pushes = [
        Push("shop/api", (release.version, *release.aliases, "latest"), recipe)
        for release, recipe in ((entry, _release(entry)) for entry in _RELEASES)
    ]
    return (*pushes, Push("shop/api", ("1.5.0", "latest"), SHOP_API_1_5_0))


def _hello(
    base: ImageRecipe, at: str, name: str, packages: tuple[int, int]
) -> ImageRecipe:
    """FROM, COPY and RUN: the smallest Dockerfile that does something."""
    return ImageRecipe(
        base=base,
        steps=(
            step(at, "COPY . /app", 1_480, edition=name),
            step(
                at, "RUN pip install -r /app/requirements.txt", *packages, edition=name
            ),
        ),
    )


_HELLO_AT: Final = "2026-04-02T10:05:31Z"
HELLO_1_0: Final = _hello(
    PYTHON_3_7, "2025-10-14T12:30:00Z", "hello", (2_100_000, 8_900_000)
)
HELLO_1_1: Final = _hello(PYTHON_3_7, _HELLO_AT, "hello", (14_120_000, 57_600_000))
HELLO_ALPINE: Final = _hello(
    PYTHON_3_7_ALPINE, _HELLO_AT, "hello-alpine", (14_130_000, 57_600_000)
)


def _etl(
    base: ImageRecipe,
    at: str,
    wheels: tuple[int, int],
    fixtures: int,
    java: tuple[int, int],
) -> ImageRecipe:
    """A pipeline that carries a JRE, its wheels and its test data around."""
    return ImageRecipe(
        base=base,
        steps=(
            step(at, "WORKDIR /etl", 94),
            step(at, f"{_APT} default-jre-headless libarrow-dev {_LISTS}", *java),
            step(at, f"{_PIP} pandas pyarrow pyspark", *wheels),
            # buildah with --compression=none: the layer is a plain tar.
            step(at, "COPY fixtures/ /etl/fixtures/", fixtures, packing="tar"),
            step(at, 'ENTRYPOINT ["python" "-m" "etl"]'),
        ),
    )


ETL_112: Final = _etl(
    PYTHON_3_13_TRIXIE,
    "2025-11-11T06:12:09Z",
    (211_300_000, 548_100_000),
    48_300_032,
    (96_400_000, 251_700_000),
)
ETL_115: Final = _etl(
    PYTHON_3_13_TRIXIE,
    "2026-03-17T06:14:55Z",
    (238_900_000, 601_200_000),
    51_200_000,
    (98_700_000, 258_300_000),
)
ETL_118: Final = _etl(
    PYTHON_TRIXIE,
    "2026-08-25T06:10:31Z",
    (301_600_000, 762_800_000),
    97_200_128,
    (104_700_000, 271_400_000),
)

_NOTEBOOK_AT: Final = "2026-08-20T15:22:08Z"


def _notebook(packing_ratio: float, *, is_zstd: bool) -> ImageRecipe:
    """Everything that a data scientist ever asked for, and a chown of it all."""
    lines = (
        (f"{_APT} pandoc texlive-full {_LISTS}", 612_300_000, 1_702_000_000),
        (f"{_PIP} jupyterlab pandas scikit-learn", 388_000_000, 1_204_000_000),
        # Above about 740 MB four bytes of length have two readings: an estimate.
        (f"{_PIP} tensorflow torch", 1_284_600_000, 2_890_000_000),
        ("RUN chown -R jovyan:users /opt /home", 421_900_000, 1_260_000_000),
    )
    return ImageRecipe(
        base=PYTHON_TRIXIE,
        steps=tuple(
            step(
                _NOTEBOOK_AT,
                line,
                int(compressed_bytes * packing_ratio),
                uncompressed_bytes,
                packing="zstd" if is_zstd else "gzip",
            )
            for line, compressed_bytes, uncompressed_bytes in lines
        ),
    )


NOTEBOOK: Final = _notebook(1.0, is_zstd=False)
NOTEBOOK_ZSTD: Final = _notebook(0.88, is_zstd=True)

_WEB_AT: Final = "2026-09-18T11:40:27Z"


def _web(
    base: ImageRecipe, packages: tuple[int, int], pages: tuple[int, int]
) -> ImageRecipe:
    return ImageRecipe(
        base=base,
        platform=base.platform,
        steps=(
            step(_WEB_AT, "RUN apk add --no-cache nginx", *packages),
            step(_WEB_AT, "COPY nginx.conf /etc/nginx/nginx.conf", 612),
            step(_WEB_AT, "COPY /src/dist /usr/share/nginx/html", *pages),
            step(_WEB_AT, "EXPOSE 8080/tcp"),
            step(_WEB_AT, 'CMD ["nginx" "-g" "daemon off;"]'),
        ),
    )


SHOP_WEB: Final = Variants(
    (
        (
            _web(ALPINE_AMD64, (1_912_400, 5_420_000), (6_418_000, 19_830_000)),
            Attestation((98_112, 9_870), is_legacy=False),
        ),
        (
            _web(ALPINE_ARM64, (1_894_700, 5_610_000), (6_418_000, 19_830_000)),
            Attestation((97_640, 9_871), is_legacy=False),
        ),
    )
)

MOVING: Final[tuple[Push, ...]] = (
    *_shop_api(),
    Push("tutorial/hello", ("1.0", "latest"), HELLO_1_0),
    Push("tutorial/hello", ("1.1", "latest"), HELLO_1_1),
    Push("data/etl", ("112", "latest"), ETL_112),
    Push("data/etl", ("115", "latest"), ETL_115),
    Push("data/etl", ("118", "latest"), ETL_118),
)
"""Pushed in the course of the year, each when its image was made."""

STANDING: Final[tuple[Push, ...]] = (
    Push("tutorial/hello-alpine", ("1.1", "latest"), HELLO_ALPINE),
    Push("ml/notebook", ("7.2.0", "latest"), NOTEBOOK),
    Push("ml/notebook", ("7.2.0-zstd",), NOTEBOOK_ZSTD),
    Push("shop/web", ("5.2.0", "5", "latest"), SHOP_WEB),
    Push(
        "shop/charts/api",
        ("0.9.2",),
        Chart("api", "0.9.2", 18_200, "2026-07-07T09:41:00Z"),
    ),
)
"""There from the first crawl on."""
