"""Fees and slippage against exact arithmetic with fractions."""

from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from signals.engine.cost_rates import rates_of_pair
from signals.engine.costs import HIGHEST_TICKS, SPOT_COSTS, CostRates, MarketType, fee, rates_for, slipped
from signals.engine.session import AssetClass

PRICES = st.integers(1, 10**9)
ANY_PRICE = st.integers(1, HIGHEST_TICKS)


@settings(deadline=None)  # the first call compiles
@given(PRICES, st.integers(1, 10**9), st.integers(-100_000, 100_000))
def test_a_fee_is_the_exact_share_rounded_up_even_where_the_product_would_overflow(
    price: int, lots: int, rate_ppm: int
) -> None:
    assert fee(price, lots, rate_ppm) == ceil(Fraction(price * lots * rate_ppm, 1_000_000))


@settings(deadline=None)  # the first call compiles
@given(ANY_PRICE, st.sampled_from([1, -1]), st.integers(0, 100_000))
@example(10**17, 1, 1_000)
@example(9 * 10**18, 1, 100_000)
def test_slippage_is_rounded_against_the_trader_and_stays_within_what_can_be_counted(
    price: int, side: int, rate_ppm: int
) -> None:
    exact = price + side * ceil(Fraction(price * rate_ppm, 1_000_000))
    assert slipped(price, side, rate_ppm) == min(max(1, exact), HIGHEST_TICKS)


def test_ten_basis_points_of_a_thousand_dollars_are_one_dollar() -> None:
    costs = CostRates(maker_bps=Decimal("7.5"), taker_bps=Decimal(10), slippage_bps=Decimal(0)).in_ppm()

    assert fee(100_000, 1_000, costs.taker_ppm) == 100_000  # ticks of 0.01, lots of 0.001: 100,000 x 0.00001
    assert costs.maker_ppm == 750


def test_costs_are_on_by_default_and_a_taker_pays_no_less_than_a_maker() -> None:
    assert 0 < SPOT_COSTS.maker_bps <= SPOT_COSTS.taker_bps
    assert SPOT_COSTS.slippage_bps > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"taker_bps": Decimal(-1)}, "taker_bps is -1"),
        ({"slippage_bps": Decimal("NaN")}, "slippage_bps is NaN"),
        ({"maker_bps": Decimal("0.001")}, "finer than 0.01 bps"),
        ({"maker_bps": Decimal(2_000)}, "maker_bps is 2000"),
    ],
)
def test_a_rate_that_cannot_be_meant_is_refused(change: dict[str, Decimal], message: str) -> None:
    rates = {"maker_bps": Decimal(1), "taker_bps": Decimal(1), "slippage_bps": Decimal(1)}
    with pytest.raises(ValueError, match=message):
        CostRates(**rates | change)


def test_the_finest_and_the_highest_rates_are_kept_whole() -> None:
    rates = CostRates(maker_bps=Decimal(-1_000), taker_bps=Decimal(1_000), slippage_bps=Decimal("0.01"))
    assert rates.in_ppm() == (-100_000, 100_000, 1)


@pytest.mark.parametrize("asset_class", AssetClass)
@pytest.mark.parametrize("market_type", MarketType)
def test_every_kind_has_rates(asset_class: AssetClass, market_type: MarketType) -> None:
    assert rates_for(asset_class.value, market_type.value).round_trip > 0


def test_forex_does_not_pay_what_crypto_pays() -> None:
    assert rates_for("crypto") == SPOT_COSTS
    assert rates_for("crypto").round_trip == pytest.approx(0.0024)
    assert rates_for("crypto", "perpetual").round_trip == pytest.approx(0.0014)
    assert rates_for("forex").round_trip == pytest.approx(0.00017)
    with pytest.raises(ValueError, match="bond"):
        rates_for("bond")


@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        ("BTC/USDT", "crypto"),
        ("BTCUSD_PERP", "crypto"),
        ("BTC/USDT:USDT", "crypto"),
        ("ETHBTC", "crypto"),
        ("EURUSD", "forex"),
        ("XAU/USD", "forex"),
        ("GOOG", "stock"),
    ],
)
def test_a_files_pair_pays_what_its_kind_costs(pair: str, kind: str) -> None:
    assert rates_of_pair(pair) == rates_for(kind)
