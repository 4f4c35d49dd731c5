"""The trend rule against a loop over bars that knows nothing of the engine, and against published figures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from signals.engine.candle import OHLCV
from signals.engine.costs import NO_COSTS
from signals.engine.direction import Direction
from signals.engine.quality import inspect
from signals.engine.strategy import WindowError
from signals.engine.timeframe import Timeframe
from signals.engine.trend import FROZEN, TrendSettings, breakouts, decide, trades
from signals.market.providers.candle_file import Reading, read_candle_file

H4 = 4 * 3_600_000
PAIRS = ("ADA", "AVAX", "BNB", "BTC", "DOGE", "DOT", "ETH", "LINK", "SOL", "XRP")


def market(bars: int, seed: int) -> OHLCV:
    rng = np.random.default_rng(seed)
    path = 100 * np.exp(np.cumsum(rng.standard_t(3, bars * 6) * 0.004))
    inside = path.reshape(bars, 6)
    opened = np.concatenate(([100.0], inside[:-1, -1])) * np.exp(rng.normal(0, 0.002, bars))
    return OHLCV(
        np.arange(bars) * H4,
        opened,
        np.maximum(opened, inside.max(axis=1)),
        np.minimum(opened, inside.min(axis=1)),
        inside[:, -1],
        np.ones(bars),
    )


def ranges_by_hand(candles: OHLCV) -> list[float]:
    """Wilder's mean of the true range, seeded by rows 1 to 14 as TA-Lib does."""
    true = [
        max(high, before) - min(low, before)
        for high, low, before in zip(candles.high[1:], candles.low[1:], candles.close[:-1], strict=True)
    ]
    found = [np.nan] * 14 + [sum(true[:14]) / 14]
    for each in true[14:]:
        found.append((found[-1] * 13 + each) / 14)
    return found


def by_hand(candles: OHLCV, bars: int, k: float, longest: int) -> Iterator[tuple[int, int, float]]:
    """(row, row of the exit, R before costs): the rule as the issue words it."""
    reach, t = ranges_by_hand(candles), 0
    while t < len(candles) - 1:
        past = candles.close[max(t - bars + 1, 0) : t]
        if t < bars - 1 or not reach[t] > 0 or (past > candles.close[t]).any():
            t += 1
            continue
        risk = k * reach[t]
        stop, best, price, u = candles.close[t] - risk, candles.close[t], 0.0, t + 1
        while u < len(candles):
            if u == t + longest + 1 or candles.open[u] <= stop:
                price = candles.open[u]
            elif candles.low[u] <= stop:
                price = stop
            if price:
                break
            best = max(best, candles.close[u])
            stop = max(stop, best - k * reach[u])
            u += 1
        if not price:
            return
        yield t, u, (price / candles.open[t + 1] - 1) / (risk / candles.close[t])
        t = u


@pytest.mark.parametrize("seed", range(4))
def test_trades_are_those_of_a_loop_over_bars(seed: int) -> None:
    candles, settings = market(1_500, seed), TrendSettings(30, 3.0, 40)
    expected = list(by_hand(candles, 30, 3.0, 40))
    found = trades(candles, settings, rates=NO_COSTS)
    assert len(expected) > 10
    assert found.rows.tolist() == [row for row, _, _ in expected]
    assert (found.outcomes.exited_at // H4).tolist() == [leave for _, leave, _ in expected]
    assert found.outcomes.r_multiple == pytest.approx([r for *_, r in expected], abs=1e-5)


def test_costs_are_taken_off_the_return_before_it_is_divided_by_the_risk() -> None:
    candles = market(1_500, 7)
    free, charged = trades(candles, rates=NO_COSTS), trades(candles)
    gross = free.outcomes.r_multiple[0] * free.risk_ratio[0]
    assert charged.outcomes.r_multiple[0] * charged.risk_ratio[0] == pytest.approx(gross - 0.0024, abs=3e-4)


def test_no_row_knows_a_later_bar() -> None:
    candles, at = market(600, 3), 400
    other = market(600, 4)
    columns = ("open", "high", "low", "close", "volume")
    mixed = OHLCV(
        candles.open_time,
        *(np.concatenate((getattr(candles, c)[:at], getattr(other, c)[at:])) for c in columns),
    )
    before, after = breakouts(candles), breakouts(mixed)
    for column in ("direction", "stop_loss", "ranges"):
        np.testing.assert_array_equal(getattr(before, column)[:at], getattr(after, column)[:at])


def test_live_decides_on_a_window_what_the_series_says_of_the_whole() -> None:
    candles = market(1_200, 5)
    series = breakouts(candles)
    row = int(series.rows[series.rows > 600][0])
    signal = decide(candles[row - 499 : row + 1])
    assert signal is not None
    assert signal.direction is Direction.LONG
    assert signal.take_profit is None
    assert signal.exit_plan.is_managed
    assert signal.stop_loss == pytest.approx(float(series.stop_loss[row]), rel=1e-6)
    assert signal.reasons[0] == "the 4h close is the highest of 120 (20 days)"
    quiet = int(np.flatnonzero(series.direction[600:] == 0)[0]) + 600
    assert decide(candles[quiet - 499 : quiet + 1]) is None


def test_a_close_that_equals_the_highest_before_is_a_breakout_and_a_dead_market_is_none() -> None:
    prices = np.full(40, 100.0)
    wide = OHLCV(np.arange(40) * H4, prices, prices + 1, prices - 1, prices, np.ones(40))
    still = OHLCV(np.arange(40) * H4, prices, prices, prices, prices, np.ones(40))
    settings = TrendSettings(20, 3.0, 10)
    assert breakouts(wide, settings).direction[19:].all()
    assert not breakouts(still, settings).direction.any()


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(WindowError, match="needs"):
        decide(market(200, 1))


def test_the_frozen_settings_are_the_centre_of_the_plateau() -> None:
    assert (FROZEN.lookback, FROZEN.trail_atr, FROZEN.longest_hold_bars) == (120, 4.0, 120)


@pytest.mark.parametrize(
    ("k", "published"),
    [
        (3.0, {2018: 0.55, 2022: 0.22, 2024: 0.29, 2025: 0.34}),
        (4.0, {2018: 0.84, 2022: 0.31, 2024: 0.55, 2025: 0.32}),
    ],
)
def test_the_studys_table_is_reproduced(k: float, published: dict[int, float], shared_data: Path) -> None:
    years, r = [], []
    for pair in PAIRS:
        path = shared_data / "ohlcv" / "binance_spot_finom" / f"{pair}USDT_4h.parquet"
        raw = read_candle_file(path, symbol=None, said=Reading()).candles
        candles, _ = inspect(raw, Timeframe.H4, int(raw.open_time.max()) + H4)
        found = trades(candles, TrendSettings(trail_atr=k))
        closed = (candles.open_time[found.rows] + H4).astype("datetime64[ms]")
        years.append(closed.astype("datetime64[Y]").astype(int) + 1970)
        r.append(found.outcomes.r_multiple)
    year, result = np.concatenate(years), np.concatenate(r)
    ends = {2018: 2021, 2022: 2023, 2024: 2024, 2025: 2025}
    for first, mean in published.items():
        assert result[(year >= first) & (year <= ends[first])].mean() == pytest.approx(mean, abs=0.05)
