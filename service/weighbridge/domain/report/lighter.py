"""What would make an image lighter: advice from its lines, and slimmer bases."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.advice.advice import advise
from weighbridge.domain.advice.own_lines import Advice, advice_json
from weighbridge.domain.base.savings import Saving, saving_json
from weighbridge.domain.size.weighing import WeighedImage, Weighing, as_json


class Lighter(Struct, frozen=True):
    """Of one image.

    savings: by slimmer variants of its base, most first; None: its base is not known
    """

    advice: Sequence[Advice] = ()
    savings: Sequence[Saving] | None = None


def by_lines_alone(weighing: Weighing) -> list[Lighter]:
    """Of each image of a weighing, where nothing else is known of them."""
    return [Lighter(advise(image, base_layers(image))) for image in weighing.images]


def of_this_image_alone(lighter: Lighter) -> Lighter:
    """Without what the variants would save in all repositories together: for whoever
    does not see all of them."""
    if lighter.savings is None:
        return lighter
    savings = [replace(saving, fleet=None) for saving in lighter.savings]
    return replace(lighter, savings=savings)


def base_layers(image: WeighedImage) -> int:
    """How many of its leading layers are not its builder's to change."""
    return 0 if image.base is None else image.base.layers or 0


def weighing_json(weighing: Weighing, lighter: Sequence[Lighter]) -> dict[str, object]:
    """The object of `inspect -o json` and of the API: that of the weighing, each image
    with `advice` and `savings`.

    lighter: one for each image
    """
    return as_json(weighing, list(map(_lighter_json, lighter)))


def _lighter_json(lighter: Lighter) -> dict[str, object]:
    savings = lighter.savings
    return {
        "advice": advice_json(lighter.advice),
        "savings": None if savings is None else list(map(saving_json, savings)),
    }
