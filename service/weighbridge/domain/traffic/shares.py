"""Dividing a whole so that the parts add up to it."""

from collections.abc import Sequence


def divided(whole: int, weights: Sequence[int]) -> list[int]:
    """Whole parts in proportion to their weights, which add up to the whole: what is
    left by rounding down goes to those that lost most by it, the first of equals.

    whole, weights: not below 0. Where no weight is above 0, all parts are 0.
    """
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    parts = [whole * weight // total for weight in weights]
    lost = [whole * weight % total for weight in weights]
    order = sorted(range(len(parts)), key=lambda place: -lost[place])
    for place in order[: whole - sum(parts)]:
        parts[place] += 1
    return parts
