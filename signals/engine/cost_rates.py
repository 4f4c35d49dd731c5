"""Rates of what a trade costs besides the price: maker and taker fees, slippage, what is borrowed.

Parts per million inside and basis points (Decimal) at the boundary. Apart from the compiled arithmetic
(`signals.engine.costs`), so that tables can name rates without loading that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from signals.engine.session import AssetClass

MILLION = 1_000_000
PPM_PER_BPS = 100
HIGHEST_BPS = Decimal(1_000)


class Costs(NamedTuple):
    """Rates in parts per million, as the compiled fill step takes them; `CostRates.in_ppm` makes it."""

    maker_ppm: int
    taker_ppm: int
    slippage_ppm: int


@dataclass(frozen=True, slots=True)
class CostRates:
    """Costs in basis points (1 bps = 0.01 %). A negative maker fee is a rebate.

    Fees are charged in the quote currency; where an exchange takes them in the base asset, the same share
    is meant. What a market or stop order slips is the sum of slippage, half the spread, that share of the
    average true range (volatility_bps: 10,000 is all of it), and impact_bps x the square root of
    lots / the bar's volume. borrow_bps is what a borrowed position pays a day.

    ValueError for a rate that is finer than 0.01 bps, beyond 1,000 bps (volatility: 10,000), or negative
    where that makes no sense.
    """

    maker_bps: Decimal
    taker_bps: Decimal
    slippage_bps: Decimal
    spread_bps: Decimal = Decimal(0)
    volatility_bps: Decimal = Decimal(0)
    impact_bps: Decimal = Decimal(0)
    borrow_bps: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self)):
            rate = getattr(self, name)
            lowest = -HIGHEST_BPS if name == "maker_bps" else Decimal(0)
            highest = MILLION // PPM_PER_BPS if name == "volatility_bps" else HIGHEST_BPS
            if not (rate.is_finite() and lowest <= rate <= highest):
                raise ValueError(f"{name} is {rate}; it must be between {lowest} and {highest}")
            if rate * PPM_PER_BPS % 1:
                raise ValueError(f"{name} is {rate}; rates finer than 0.01 bps cannot be kept")

    @property
    def round_trip(self) -> float:
        """What entering and leaving by market orders costs, a ratio of the price."""
        costs = self.in_ppm()
        return 2 * (costs.taker_ppm + costs.slippage_ppm) / MILLION

    def in_ppm(self) -> Costs:
        """Fees and what every market order slips, half the spread included, as whole parts per million."""
        half_spread = -(-int(self.spread_bps * PPM_PER_BPS) // 2)
        rates = (self.maker_bps, self.taker_bps, self.slippage_bps)
        maker, taker, slippage = (int(rate * PPM_PER_BPS) for rate in rates)
        return Costs(maker, taker, slippage + half_spread)


# The lowest spot tier of the large exchanges, and a spread that liquid pairs keep most of the time.
SPOT_COSTS = CostRates(maker_bps=Decimal(10), taker_bps=Decimal(10), slippage_bps=Decimal(2))
NO_COSTS = CostRates(maker_bps=Decimal(0), taker_bps=Decimal(0), slippage_bps=Decimal(0))


class MarketType(StrEnum):
    """How an instrument is traded: on `SPOT` it cannot be shorted."""

    SPOT = "spot"
    MARGIN = "margin"
    PERPETUAL = "perpetual"


# What a private trader pays where the instrument has no rates of its own. Perpetuals: the lowest tier of the large
# exchanges. Forex: the commission of a raw-spread account (3.50 USD a side for 100,000 USD) and half of a spread of
# one pip. Stocks: no commission, and half of a spread of 4 bps.
_CRYPTO_PERPETUAL = CostRates(maker_bps=Decimal(2), taker_bps=Decimal(5), slippage_bps=Decimal(2))
_FOREX = CostRates(maker_bps=Decimal("0.35"), taker_bps=Decimal("0.35"), slippage_bps=Decimal("0.5"))
_STOCK = CostRates(maker_bps=Decimal(0), taker_bps=Decimal(0), slippage_bps=Decimal(2))
RATES: Mapping[tuple[AssetClass, MarketType], CostRates] = MappingProxyType(
    {
        (AssetClass.CRYPTO, MarketType.SPOT): SPOT_COSTS,
        (AssetClass.CRYPTO, MarketType.MARGIN): SPOT_COSTS,
        (AssetClass.CRYPTO, MarketType.PERPETUAL): _CRYPTO_PERPETUAL,
        (AssetClass.FOREX, MarketType.SPOT): _FOREX,
        (AssetClass.FOREX, MarketType.MARGIN): _FOREX,
        (AssetClass.FOREX, MarketType.PERPETUAL): _FOREX,
        (AssetClass.STOCK, MarketType.SPOT): _STOCK,
        (AssetClass.STOCK, MarketType.MARGIN): _STOCK,
        (AssetClass.STOCK, MarketType.PERPETUAL): _STOCK,
    }
)


def rates_for(asset_class: str, market_type: str = MarketType.SPOT, **own_bps: Decimal | None) -> CostRates:
    """What trading costs by the kind of asset and of market, but for an instrument's own rates that are not None.

    ValueError for a kind that there is not, and as CostRates.
    """
    usual = RATES[AssetClass(asset_class), MarketType(market_type)]
    return replace(usual, **{name: rate for name, rate in own_bps.items() if rate is not None})


CURRENCIES = frozenset(
    {
        "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "TRY", "ZAR",
        "MXN", "SGD", "HKD", "CNH", "XAU", "XAG",
    }
)  # fmt: skip
# What coins are quoted in, the longer names first: BTCUSDT is of USDT.
COIN_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "DAI", "USD", "EUR", "GBP", "BTC", "ETH", "BNB")


def asset_class_of(pair: str) -> AssetClass:
    """What a file's pair can only be: two currencies, a coin in a coin's quote, else a stock."""
    letters = "".join(filter(str.isalnum, pair.split(":", maxsplit=1)[0])).upper().removesuffix("PERP")
    if len(letters) == 6 and {letters[:3], letters[3:]} <= CURRENCIES:
        return AssetClass.FOREX
    is_coin = any(letters.endswith(quote) and letters != quote for quote in COIN_QUOTES)
    return AssetClass.CRYPTO if is_coin else AssetClass.STOCK


def rates_of_pair(pair: str) -> CostRates:
    """Spot rates of a pair that is known by its name alone."""
    return rates_for(asset_class_of(pair))
