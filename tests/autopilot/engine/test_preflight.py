"""Every reason has its sentence, and every limit bites exactly where it says."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from autopilot.engine.order import OrderSide
from autopilot.engine.preflight import Asked, Limits, Refusal, Standing, Venue, preflight

ASKED = Asked(
    side=OrderSide.BUY,
    is_entry=True,
    lots=10,
    quantity=Decimal(10),
    price=Decimal(10),
    fee=Decimal("0.1"),
)
VENUE = Venue(can_short=True)
STANDING = Standing(free=Decimal("100.1"), equity=Decimal(1000))


def test_an_order_that_the_account_just_pays_for_passes() -> None:
    assert preflight(ASKED, VENUE, STANDING, Limits()) is None
    short_of = replace(STANDING, free=Decimal("100.09"))
    assert preflight(ASKED, VENUE, short_of, Limits()) is Refusal.INSUFFICIENT_FUNDS


@pytest.mark.parametrize(
    ("limits", "passing", "refused", "reason"),
    [
        ({"positions": 2}, {"other_positions": 1}, {"other_positions": 2}, Refusal.TOO_MANY_POSITIONS),
        (
            {"exposure": Decimal("0.5")},
            {"exposure": Decimal(400)},
            {"exposure": Decimal("400.01")},
            Refusal.EXPOSURE,
        ),
        (
            {"daily_loss": Decimal("0.05")},
            {"day_start_equity": Decimal(1050)},
            {"day_start_equity": Decimal(1060)},
            Refusal.DAILY_LOSS,
        ),
        (
            {"drawdown": Decimal("0.2")},
            {"peak_equity": Decimal(1249)},
            {"peak_equity": Decimal(1250)},
            Refusal.DRAWDOWN,
        ),
        ({"correlation": 0.9}, {"correlation": 0.9}, {"correlation": 0.91}, Refusal.CORRELATION),
        (
            {"cooldown_seconds": 60},
            {"seconds_since_stop": 60.0},
            {"seconds_since_stop": 59.0},
            Refusal.COOLDOWN,
        ),
        ({"trades_a_day": 3}, {"trades_today": 2}, {"trades_today": 3}, Refusal.TRADES_TODAY),
    ],
)
def test_a_limit_bites_where_it_says(
    limits: dict[str, Any], passing: dict[str, Any], refused: dict[str, Any], reason: Refusal
) -> None:
    assert preflight(ASKED, VENUE, replace(STANDING, **passing), Limits(**limits)) is None
    assert preflight(ASKED, VENUE, replace(STANDING, **refused), Limits()) is None
    assert preflight(ASKED, VENUE, replace(STANDING, **refused), Limits(**limits)) is reason
    exit_asked = replace(ASKED, is_entry=False, side=OrderSide.SELL)
    held = replace(STANDING, held=Decimal(10), **refused)
    assert preflight(exit_asked, VENUE, held, Limits(**limits)) is None


def test_every_reason_has_a_sentence() -> None:
    assert all(reason.sentence.endswith(".") for reason in Refusal)
    assert len({reason.sentence for reason in Refusal}) == len(Refusal)
