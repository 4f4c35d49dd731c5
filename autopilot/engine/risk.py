"""How much one trade may cost, lowered where the market is wild or the account has lost.

Two brakes, neither of which ever raises what was asked for: the position's own deviation over a day is held under a
target (volatility targeting: Moreira & Muir, Journal of Finance 2017), and the risk at the stop falls in a straight
line from its full amount at no drawdown to a quarter at the account's limit, where pre-flight opens nothing any more.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from math import sqrt

DAILY_TARGET = 0.02  # deviation of one position's worth over a day, a ratio of equity
LOWEST_SHARE = 0.25
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """fraction: of equity, lost at the stop. most_worth: of the position, a ratio of equity; None for no limit."""

    fraction: float
    most_worth: float | None
    drawdown: float
    daily_deviation: float | None


def dynamic_risk(
    *,
    base: float,
    deviation: float | None,
    bar_seconds: int,
    equity: Decimal,
    peak: Decimal,
    limit: Decimal | None,
) -> Risk:
    """base: fraction at risk without brakes. deviation: of a bar's log return. peak: highest equity so far."""
    fallen = float(max(1 - equity / peak, Decimal(0))) if peak > 0 else 0.0
    share = 1.0
    if limit is not None and limit > 0:
        share = max(1.0 - (1.0 - LOWEST_SHARE) * min(fallen / float(limit), 1.0), LOWEST_SHARE)
    daily = None if deviation is None else deviation * sqrt(DAY_SECONDS / bar_seconds)
    return Risk(
        fraction=base * share,
        most_worth=None if not daily else DAILY_TARGET / daily,
        drawdown=fallen,
        daily_deviation=daily,
    )


def most_quantity(worth: Decimal, price: Decimal) -> Decimal:
    return (worth / price).quantize(Decimal("1e-12"), ROUND_DOWN)
