"""What became of a signal, against a loop over bars that knows nothing of ticks, lots or the fill code."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS, SPOT_COSTS, CostRates
from signals.engine.exit_reason import ExitReason
from signals.engine.outcome import REASONS, Outcomes, follow
from tests.factories import make_series

START = datetime(2025, 1, 1, tzinfo=UTC)
DEARER = CostRates(maker_bps=Decimal(2), taker_bps=Decimal(10), slippage_bps=Decimal(5))


def candles(*bars: tuple[float, float, float, float]) -> OHLCV:
    table = np.array(bars)
    return OHLCV(np.arange(len(bars)) * 3_600_000, *table.T, np.ones(len(bars)))


def follow_one(
    market: OHLCV, direction: int = 1, *, rates: CostRates = NO_COSTS, horizon: int = 24
) -> Outcomes:
    """A signal at row 0, at 100, with its stop 5 away and its target 10 away."""
    return follow(
        market,
        rows=[0],
        directions=[direction],
        entry_prices=[100.0],
        stop_losses=[100.0 - 5 * direction],
        take_profits=[100.0 + 10 * direction],
        horizon=horizon,
        rates=rates,
    )


DECIDED = (99.0, 101.0, 98.0, 100.0)


@pytest.mark.parametrize(
    ("bars", "reason", "r", "best", "worst", "held"),
    [
        ([(100, 103, 96, 102), (102, 111, 101, 109)], ExitReason.TARGET, 2.0, 2.0, -0.8, 1),
        ([(100, 103, 96, 97), (97, 99, 94, 98)], ExitReason.STOP, -1.0, 0.6, -1.0, 1),
        ([(100, 103, 96, 97), (90, 99, 89, 98)], ExitReason.STOP, -2.0, 0.6, -2.0, 1),  # gapped through
        ([(100, 112, 94, 97)], ExitReason.STOP, -1.0, 0.0, -1.0, 0),
        (
            [(100, 103, 96, 102), (102, 104, 101, 103), (103, 120, 80, 90)],
            ExitReason.EXPIRY,
            0.6,
            0.8,
            -0.8,
            2,
        ),
    ],
)
def test_a_trade_ends_at_target_stop_or_expiry_with_the_figures_worked_out_by_hand(
    bars: list[tuple[float, float, float, float]],
    reason: ExitReason,
    r: float,
    best: float,
    worst: float,
    held: int,
) -> None:
    outcome = follow_one(candles(DECIDED, *bars), horizon=2)

    assert outcome.ended[0]
    assert REASONS[int(outcome.exit_reason[0])] is reason
    assert outcome.r_multiple[0] == pytest.approx(r)
    assert outcome.best_r[0] == pytest.approx(best)
    assert outcome.worst_r[0] == pytest.approx(worst)
    assert outcome.bars_held[0] == held


def test_a_bar_that_touches_both_levels_is_a_loss_and_flagged() -> None:
    outcome = follow_one(candles(DECIDED, (100, 112, 94, 111)))
    assert outcome.ambiguous[0]
    assert outcome.r_multiple[0] == pytest.approx(-1)


def test_the_bar_on_which_it_was_decided_neither_fills_nor_ends_it() -> None:
    wild = (100.0, 200.0, 50.0, 100.0)
    outcome = follow_one(candles(wild, (100, 101, 99, 100), (100, 111, 99, 110)))
    assert outcome.bars_held[0] == 1
    assert outcome.entered_at[0] == 3_600_000


def test_a_trade_whose_end_is_not_among_the_candles_is_not_ended() -> None:
    outcome = follow_one(candles(DECIDED, (100, 103, 96, 102)))
    assert not outcome.ended[0]
    assert np.isnan(outcome.r_multiple[0])
    assert outcome.exited_at[0] == -1


def test_a_signal_on_the_last_candle_has_not_begun() -> None:
    assert not follow_one(candles(DECIDED)).ended[0]


def test_costs_are_on_by_default() -> None:
    market = candles(DECIDED, (100, 111, 99, 109))
    charged = follow(
        market, rows=[0], directions=[1], entry_prices=[100.0], stop_losses=[95.0], take_profits=[110.0]
    )
    # In at 100.02 (2 bps) with 10 bps, out by limit at 110 with 10 bps.
    net = 110 - 100.02 - 0.001 * (100.02 + 110)
    assert SPOT_COSTS.taker_bps == 10
    assert charged.r_multiple[0] == pytest.approx(net / 5, rel=1e-6)
    assert charged.returns[0] == pytest.approx(net / 100.02, rel=1e-6)


def by_hand(
    market: OHLCV, row: int, sign: int, entry: float, stop: float, target: float
) -> list[float] | None:
    """[exit row, R after DEARER costs, best R, worst R, ambiguous], prices in floats; horizon 24."""
    risk = abs(entry - stop)
    paid = 0.0
    best = worst = 0.0
    for held, at in enumerate(range(row + 1, len(market))):
        o, high, low = (float(getattr(market, name)[at]) for name in ("open", "high", "low"))
        if held == 0:
            paid = o * (1 + sign * 0.0005)
        good, bad = (high, low) if sign > 0 else (low, high)
        leave, rate, ambiguous, span = None, 0.001, False, (good, bad)
        if held == 24 or (o - stop) * sign <= 0:
            leave = o * (1 - sign * 0.0005)
            span = (o, leave)
        elif (o - target) * sign >= 0:
            leave, span = o, (o, o)
        elif (bad - stop) * sign <= 0:
            leave, ambiguous = stop * (1 - sign * 0.0005), (good - target) * sign >= 0
            span = (o, leave)
        elif (good - target) * sign >= 0:
            leave, rate, span = target, 0.0002, (target, bad)
        best = max(best, sign * (span[0] - paid), sign * (span[1] - paid))
        worst = min(worst, sign * (span[0] - paid), sign * (span[1] - paid))
        if leave is not None:
            net = sign * (leave - paid) - 0.001 * paid - rate * leave
            return [at, net / risk, best / risk, worst / risk, ambiguous]
    return None


@pytest.mark.parametrize("scale", [1.0, 1e-5, 700.0])
def test_a_year_of_random_signals_ends_as_the_loop_by_hand_says(scale: float) -> None:
    rng = np.random.default_rng(3)
    walk = make_series(bars=2_000, start=START, seed=5)
    gap = np.exp(rng.normal(0, 0.004, len(walk)))  # opens that jump away from the last close
    opened = walk.open * gap * scale
    market = OHLCV(
        walk.open_time,
        opened,
        np.maximum(walk.high * scale, opened),
        np.minimum(walk.low * scale, opened),
        walk.close * scale,
        walk.volume,
    )
    rows = rng.integers(0, len(market), 1_500)
    sign = rng.choice([-1, 1], len(rows))
    entry = market.close[rows]
    stop = entry * (1 - sign * rng.uniform(0.002, 0.05, len(rows)))
    target = entry * (1 + sign * rng.uniform(0.002, 0.08, len(rows)))

    found = follow(
        market,
        rows=rows,
        directions=sign,
        entry_prices=entry,
        stop_losses=stop,
        take_profits=target,
        rates=DEARER,
    )

    expected = [by_hand(market, *case) for case in zip(rows, sign, entry, stop, target, strict=True)]
    assert [case is not None for case in expected] == found.ended.tolist()
    ended = np.flatnonzero(found.ended)
    table = np.array([expected[case] for case in ended], dtype=float)
    actual = (found.exited_at, found.r_multiple, found.best_r, found.worst_r, found.ambiguous)
    np.testing.assert_array_equal(found.exited_at[ended], market.open_time[table[:, 0].astype(int)])
    for column, values in zip(table.T[1:4], actual[1:4], strict=True):
        np.testing.assert_allclose(values[ended], column, rtol=1e-5, atol=2e-5)
    np.testing.assert_array_equal(found.ambiguous[ended], table[:, 4] == 1)
    kinds = {int(reason) for reason in found.exit_reason[ended]}
    assert kinds == set(REASONS), "the market must show every kind of end"
    assert found.ambiguous.any()


def test_candles_to_come_change_no_outcome_that_has_ended() -> None:
    market = make_series(bars=600, start=START, seed=9)
    rows = np.arange(0, 500, 7)
    entry = market.close[rows]
    levels = {"stop_losses": entry * 0.98, "take_profits": entry * 1.03}
    other = make_series(bars=600, start=START, seed=10)
    cut = 400
    mixed = OHLCV(
        *(
            np.concatenate((getattr(market, f.name)[:cut], getattr(other, f.name)[cut:]))
            for f in fields(OHLCV)
        )
    )

    one = follow(market, rows=rows, directions=np.ones(len(rows)), entry_prices=entry, **levels)
    two = follow(mixed, rows=rows, directions=np.ones(len(rows)), entry_prices=entry, **levels)

    known = one.ended & (one.exited_at < market.open_time[cut])
    assert known.sum() > 30
    assert (known == (two.ended & (two.exited_at < market.open_time[cut]))).all()
    for name in ("r_multiple", "best_r", "worst_r", "exited_at"):
        np.testing.assert_array_equal(getattr(one, name)[known], getattr(two, name)[known])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stop_losses": [101.0]}, "do not stand in order"),
        ({"directions": [0]}, "do not stand in order"),
        ({"rows": [9]}, "rows must lie within"),
        ({"rows": [0, 1]}, "differ in length"),
        ({"take_profits": [100.0]}, "do not stand in order"),
        ({"stop_losses": [1e-7]}, "within 9 digits of each other"),
        ({"horizon": 0}, "horizon is 0 bars"),
    ],
)
def test_a_signal_that_cannot_be_followed_is_refused(change: dict, message: str) -> None:
    signal = {
        "rows": [0],
        "directions": [1],
        "entry_prices": [100.0],
        "stop_losses": [95.0],
        "take_profits": [110.0],
    }
    with pytest.raises(ValueError, match=message):
        follow(candles(DECIDED, DECIDED), **signal | change)


def test_a_price_of_zero_cannot_be_followed() -> None:
    with pytest.raises(ValueError, match="prices must be positive"):
        follow_one(candles(DECIDED, (100.0, 101.0, 0.0, 100.0)), rates=DEARER)


def test_a_spike_after_the_exit_changes_no_digit_of_the_trade() -> None:
    ended = [DECIDED, (100.0, 103.0, 96.0, 102.0), (102.0, 111.0, 101.0, 109.0)]

    before = follow_one(candles(*ended, (1e2, 2e2, 90.0, 1e2)), rates=DEARER)
    after = follow_one(candles(*ended, (1e2, 3e5, 1e-4, 1e2)), rates=DEARER)

    for each in fields(Outcomes):
        np.testing.assert_array_equal(getattr(before, each.name), getattr(after, each.name))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("spike", "refused"), [(4e5, False), (5e6, True), (1e300, True)])
def test_a_bar_too_far_above_the_levels_to_be_reckoned_with_is_refused(
    sign: int, spike: float, refused: bool
) -> None:
    """Levels around 100: up to 4,600 times that the numbers are exact, beyond it there are none."""
    market = candles(DECIDED, (100.0, 101.0, 99.0, 100.0), (spike, spike, 90.0, 100.0), DECIDED, DECIDED)
    found = follow(
        market,
        rows=[0, 2],
        directions=[sign, 1],
        entry_prices=[100.0, 100.0],
        stop_losses=[100.0 - sign * 5, 99.0],
        take_profits=[100.0 + sign * 10, 200.0],
    )

    assert found.refused.tolist() == [refused, False]
    assert found.ended.tolist() == [not refused, True]
    assert not found.ambiguous[0]
    if refused:
        assert np.isnan(found.r_multiple[0])
        assert found.exit_reason[0] == found.exited_at[0] == -1
    else:
        assert found.exit_price[0] == pytest.approx(spike, rel=1e-3)
        assert found.returns[0] == pytest.approx(sign * (spike / 100 - 1), rel=0.01)


def test_no_signals_have_no_outcomes() -> None:
    nothing: list[float] = []
    found = follow(
        candles(DECIDED),
        rows=nothing,
        directions=nothing,
        entry_prices=nothing,
        stop_losses=nothing,
        take_profits=nothing,
    )
    assert len(found) == 0
