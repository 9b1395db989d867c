"""Builders of checks: images held against limits, with nothing asked of anybody."""

from collections.abc import Mapping, Sequence
from typing import Final

from support.policies import a_policy
from support.read_model import a_weighed_image, a_weighed_layer, a_weighing, measured
from weighbridge.domain.check.image_check import ImageCheck, checked, rules_of
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.size.weighing import WeighedImage, Weighing

MB: Final = 1_000_000
TORCH: Final = "RUN pip install --no-cache-dir torch==1.13.1"
HOSTILE: Final = (
    "RUN echo | @acme/team <img src=x onerror=alert(1)> [a](javascript:alert(1))",
    "RUN a \\| b <script>alert(1)</script> \\\\| @octocat",
    "RUN `` ` ``` `@octocat` ![x](http://evil.example/x.png)",
    "RUN x\n::error title=x::y\r\n::set-output name=token::stolen",
    "RUN ##[add-mask]secret ##[set-env name=PATH]/tmp %0A::stop-commands::x",
    "::add-mask::the-log",
    '=HYPERLINK("http://evil.example","x")',
    "RUN \x1b]0;title\x07\x1b[2J\u202e\u200b",
    "| --- | --- |",
    "---\n# heading\n- [x] task #1 GH-1 http://evil.example www.evil.example",
    "   `",
    "`",
    "\\",
    "RUN \\`|\\`@octocat",
    "-->",
)
"""What a pusher may write into an image, against every medium that shows it."""


def an_image_of(
    *sizes: int,
    lines: Sequence[str] = (),
    platform: Platform = DEFAULT,
    name: object = "layer",
) -> WeighedImage:
    """An image with layers of these many MB, each made by a line and three times as
    large on disk."""
    layers = [
        a_weighed_layer((name, number), size * MB, measured(3 * size * MB))
        for number, size in enumerate(sizes)
    ]
    texts = [
        *lines,
        *(f"RUN step {number}" for number in range(len(lines), len(sizes))),
    ]
    return a_weighed_image(
        layers, [(text, index) for index, text in enumerate(texts)], platform=platform
    )


def a_check(
    *images: WeighedImage,
    against: Weighing | None = None,
    allow_unknown: bool = False,
    allow_foreign: bool = False,
    policy: str = "services",
    limits: Mapping[str, float] | None = None,
    **more: float,
) -> ImageCheck:
    """These images as `hub/shop/api:1.5.0`, held against one policy's limits."""
    weighing = a_weighing(*images, repository="shop/api", tag="1.5.0")
    rules = rules_of(
        PolicySet([a_policy(policy, None, **(limits or {}), **more)]),
        "hub",
        "shop/api",
        "1.5.0",
    )
    return checked(
        weighing,
        against,
        rules,
        allow_unknown=allow_unknown,
        allow_foreign=allow_foreign,
    )


def before(*images: WeighedImage) -> Weighing:
    """These images as `hub/shop/api:1.4.2`."""
    return a_weighing(*images, repository="shop/api", tag="1.4.2")


def grown_by_torch(text: str = TORCH) -> ImageCheck:
    """470 MB that became 1.08 GB by one line, against 500 MB and 10 %."""
    return a_check(
        an_image_of(55, 415, 612, lines=("ADD rootfs /", "COPY . /app", text)),
        against=before(an_image_of(55, 415, lines=("ADD rootfs /", "COPY . /app"))),
        max_compressed=500 * MB,
        max_growth=0.1,
    )
