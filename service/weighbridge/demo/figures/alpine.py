"""alpine: a root file system of a few megabytes."""

from typing import Final

from weighbridge.demo.content.recipe import Attestation, ImageRecipe, Variants, step
from weighbridge.demo.figures.debian import ARM64
from weighbridge.domain.image.platform import DEFAULT, Platform


def _adopted(at: str, file: str, compressed_bytes: int, tar_bytes: int) -> ImageRecipe:
    return ImageRecipe(
        dialect="classic",
        style="docker",
        steps=(
            step(at, f"ADD file:{file} in /", compressed_bytes, tar_bytes),
            step(at, 'CMD ["/bin/sh"]'),
        ),
    )


ALPINE_3_5: Final = _adopted(
    "2018-01-09T21:13:01Z",
    "df48d6d6df42a01380557aebd4ca02807fc08a76a1d1b36d957e59a41c69db0b",
    1_970_140,
    3_970_000,
)
ALPINE_3_6: Final = _adopted(
    "2018-01-09T21:10:38Z",
    "6edc55fb54ec9fc3658c8f5176a70e792103a516154442f94fed8e0290e4960e",
    1_991_747,
    3_970_000,
)
ALPINE_3_17: Final = _adopted(
    "2023-01-09T17:05:20Z",
    "e4d600fc4c9c293efe360be7b30ee96579925d1b4634c94332e2ec73f7d8eca1",
    3_370_628,
    7_330_000,
)


def _minirootfs(
    platform: Platform, machine: str, compressed_bytes: int, tar_bytes: int
) -> ImageRecipe:
    at = "2026-09-17T20:37:20Z"
    archive = f"alpine-minirootfs-3.24.2-{machine}.tar.gz"
    return ImageRecipe(
        platform=platform,
        steps=(
            step(at, f"ADD {archive} /", compressed_bytes, tar_bytes),
            step(at, 'CMD ["/bin/sh"]'),
        ),
    )


ALPINE_AMD64: Final = _minirootfs(DEFAULT, "x86_64", 3_849_738, 8_710_000)
ALPINE_ARM64: Final = _minirootfs(ARM64, "aarch64", 4_187_659, 9_140_000)
ALPINE_ARM_V6: Final = _minirootfs(
    Platform("linux", "arm", "v6"), "armhf", 3_555_113, 7_720_000
)
ALPINE_3_24: Final = Variants(
    (
        (ALPINE_AMD64, Attestation((79_673, 5_639))),
        (ALPINE_ARM64, None),
        (ALPINE_ARM_V6, Attestation((5_465,))),
    )
)
