"""Dynamic risk: two brakes that only ever lower what was asked for."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.engine.risk import DAILY_TARGET, LOWEST_SHARE, dynamic_risk, most_quantity

LIMIT = Decimal("0.20")


@pytest.mark.parametrize(("equity", "share"), [(100.0, 1.0), (90.0, 0.625), (80.0, 0.25), (50.0, 0.25)])
def test_risk_falls_in_a_straight_line_to_a_quarter_at_the_limit(equity: float, share: float) -> None:
    found = dynamic_risk(
        base=0.01,
        deviation=None,
        bar_seconds=3600,
        equity=Decimal(repr(equity)),
        peak=Decimal(100),
        limit=LIMIT,
    )
    assert found.fraction == pytest.approx(0.01 * share)
    assert found.most_worth is None


def test_a_days_deviation_is_that_of_its_bars_by_the_root_of_time() -> None:
    daily = dynamic_risk(
        base=0.01,
        deviation=0.02,
        bar_seconds=86_400,
        equity=Decimal(1),
        peak=Decimal(1),
        limit=None,
    )
    hourly = dynamic_risk(
        base=0.01,
        deviation=0.02 / 24**0.5,
        bar_seconds=3_600,
        equity=Decimal(1),
        peak=Decimal(1),
        limit=None,
    )
    assert daily.daily_deviation == pytest.approx(0.02)
    assert hourly.daily_deviation == pytest.approx(0.02)
    assert daily.most_worth == pytest.approx(DAILY_TARGET / 0.02)


@given(
    base=st.floats(0.0001, 1.0),
    deviation=st.none() | st.floats(1e-6, 0.5),
    equity=st.integers(1, 200),
    peak=st.integers(1, 200),
)
def test_it_never_raises_what_was_asked_for(
    base: float, deviation: float | None, equity: int, peak: int
) -> None:
    found = dynamic_risk(
        base=base,
        deviation=deviation,
        bar_seconds=60,
        equity=Decimal(equity),
        peak=Decimal(max(peak, equity)),
        limit=LIMIT,
    )
    assert base * LOWEST_SHARE <= found.fraction * (1 + 1e-12)
    assert found.fraction <= base * (1 + 1e-12)
    assert 0 <= found.drawdown < 1


def test_a_worth_buys_no_more_than_it_is() -> None:
    assert most_quantity(Decimal(100), Decimal(3)) * 3 <= 100
