"""What storing and pulling costs: `prices` of the configuration."""

from decimal import Decimal
from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.traffic.costs import Prices
from weighbridge.errors import ConfigError

BOUNDS = "must be from 0 to 1,000,000, with nine decimal places at most"


def loaded(folder: Path, text: str) -> Prices | None:
    file = folder / "weighbridge.yaml"
    file.write_text(text)
    return load_settings(str(file), {}, KINDS).prices.prices


def test_there_are_no_prices_unless_they_are_written(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{}") is None
    assert loaded(tmp_path, "prices: {stored_gb_month: null}") is None


@pytest.mark.parametrize("written", ["0.1", '"0.1"', "0.10"])
def test_a_price_is_exactly_what_is_written(tmp_path: Path, written: str) -> None:
    text = f"prices: {{stored_gb_month: 0.023, pulled_gb: {written}, currency: EUR}}"

    assert loaded(tmp_path, text) == Prices("EUR", Decimal("0.023"), Decimal("0.1"))


def test_one_price_is_enough_and_nothing_may_be_free(tmp_path: Path) -> None:
    found = loaded(tmp_path, "prices: {pulled_gb: 0, currency: USD}")

    assert found == Prices("USD", None, Decimal(0))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *((text, BOUNDS) for text in ("-0.01", "1000001", "0.0000000001")),
        ("cheap", "must be a number, such as 0.023"),
        (".nan", "must be a number, such as 0.023"),
        (".inf", "must be a number, such as 0.023"),
        ("true", "must be a number, such as 0.023"),
        ("[1]", "must be a number, such as 0.023"),
        ("0,02", "must be a number, such as 0.023"),
    ],
)
@pytest.mark.parametrize("key", ["stored_gb_month", "pulled_gb"])
def test_a_price_that_is_none_is_refused(
    tmp_path: Path, key: str, value: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"prices:\n  {key}: {value}\n  currency: EUR\n")

    assert f"prices.{key}" in caught.value.message
    assert caught.value.message.endswith(words)
    assert ":2 " in caught.value.message


@pytest.mark.parametrize("currency", ["euro", "€", "eur", "7", "[EUR]"])
def test_a_currency_is_three_capital_letters(tmp_path: Path, currency: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"prices: {{pulled_gb: 1, currency: {currency}}}")

    assert "prices.currency" in caught.value.message


@pytest.mark.parametrize("rest", ["", ", currency: null"])
def test_prices_without_a_currency_are_refused(tmp_path: Path, rest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"prices: {{stored_gb_month: 0.1, pulled_gb: 1{rest}}}")

    assert "prices.currency" in caught.value.message
    assert caught.value.message.endswith("is missing: prices need one, such as EUR")


def test_every_fault_of_prices_is_told_at_once(tmp_path: Path) -> None:
    text = "prices:\n  stored_gb_month: -1\n  pulled_gb: x\n  cents: 3\n"

    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)

    told = caught.value.message
    for key in ("stored_gb_month", "pulled_gb", "cents"):
        assert f"prices.{key}" in told
