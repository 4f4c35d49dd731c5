"""A backtest of a million bars and a sweep against vectorbt, backtesting.py and RaptorBT; labels, and a year decided.

    python benchmarks/backtest.py [--markdown docs/benchmarks.md]

All are given the same signals (crossings of two means), decided at a close and filled at the next open, one unit
a trade, 0.1 % a side; candles, frames and signals are made before. Each runs in its documented way and gives equity at
every bar, a table of all trades and the statistics that it offers:

  ours           `simulate_signals`, or the general step; `equity_measures` of the account (growth, Sharpe, Sortino,
                 Calmar and omega ratios, deepest and longest fall) and of trades: number, fees, share of wins, profit
                 factor, expectancy, best, worst, mean gain, loss and time held
  vectorbt       `Portfolio.from_signals`, `value()`, `trades.records`, `stats()` (the same, and a few more)
  backtesting.py `Backtest.run()`: its statistics, equity and trades come together
  RaptorBT       `run_single_backtest`, `equity_curve()`, `trades()`, `metrics`, which come together as well

Equal equity is asserted before anything is timed. Times are of the processor, not of the clock, so that what else runs
on the machine counts less; the shortest are told beside the medians. Peers are pinned in
benchmarks/requirements-backtest.txt, an environment of their own; absent ones are left out.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from backtest_sweep import CASH, FEE, RATES, in_turn, sweeps, walk
from harness import Contender, commit, machine, write_section

from autopilot.engine.labels import Levels, label_markets
from autopilot.engine.simulator import Simulation, default_grid, run_signals, simulate_signals
from signals.engine.candle import OHLCV
from signals.engine.hybrid import HybridSettings, decisions
from signals.engine.performance import equity_measures, expectancy, profit_factor, win_rate
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe, resample

BEGIN, END = "<!-- backtest.py -->", "<!-- end of backtest.py -->"
MINUTES_A_YEAR = 365 * 24 * 60
GOALS = {
    ("plain loop", "vectorbt"): 35,
    ("plain loop", "backtesting.py"): 600,
    ("plain loop", "RaptorBT"): 8,
    ("general step", "vectorbt"): 10,
    ("general step", "backtesting.py"): 150,
    ("general step", "RaptorBT"): 2,
}
LABEL_GOAL_MS, DECISIONS_GOAL_S = 100.0, 2.0

HOURS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000) + np.arange(365 * 24) * 3_600_000

Signals = tuple[np.ndarray, np.ndarray]


def crossings(candles: OHLCV, fast: int = 10, slow: int = 30) -> Signals:
    """Enter where the fast mean rises above the slow one, leave where it falls below."""
    sums = np.cumsum(np.insert(candles.close, 0, 0.0))
    means = [np.full(len(candles), np.nan) for _ in range(2)]
    for mean, bars in zip(means, (fast, slow), strict=True):
        mean[bars - 1 :] = (sums[bars:] - sums[:-bars]) / bars
    above = means[0] > means[1]
    rows = np.flatnonzero(np.diff(above.astype(np.int8))) + 1
    entries, exits = np.zeros(len(candles), dtype=np.int8), np.zeros(len(candles), dtype=np.bool_)
    entries[rows], exits[rows] = above[rows], ~above[rows]
    return entries, exits


def measured(found: Simulation) -> dict[str, float]:
    trades = found.closed
    net, held = trades["net_profit"], trades["exited_at"] - trades["entered_at"]
    won = net > 0
    account = equity_measures(found.equity, MINUTES_A_YEAR)
    return {name: float(getattr(account, name)) for name in account.__slots__} | {
        "total return": float(found.equity[-1] / found.equity[0] - 1),
        "trades": float(len(trades)),
        "open": float(len(found.trades) - len(trades)),
        "fees": float(trades["fees"].sum()),
        "win rate": win_rate(net),
        "profit factor": profit_factor(net),
        "expectancy": expectancy(net),
        "best": float(net.max()),
        "worst": float(net.min()),
        "mean gain": float(net[won].mean()),
        "mean loss": float(net[~won].mean()),
        "mean time of gains": float(held[won].mean()),
        "mean time of losses": float(held[~won].mean()),
    }


def plain(candles: OHLCV, signals: Signals) -> np.ndarray:
    found = simulate_signals(candles, *signals, cash=CASH, quantity=Decimal(1), rates=RATES)
    measured(found)
    return found.equity


def general(candles: OHLCV, signals: Signals) -> np.ndarray:
    grid = default_grid(candles, CASH)
    lots, cash = grid.lots(Decimal(1)), int(CASH * 10**8)
    found = run_signals(candles, *signals, cash, lots, RATES, grid, by_step=True)
    measured(found)
    return found.equity


def in_vectorbt(candles: OHLCV, signals: Signals) -> Callable[[], np.ndarray]:
    import pandas as pd  # noqa: PLC0415
    import vectorbt as vbt  # noqa: PLC0415

    index = pd.to_datetime(candles.open_time, unit="ms")
    close, opened = (pd.Series(each.copy(), index=index) for each in (candles.close, candles.open))
    entries, exits = (pd.Series(each.astype(bool), index=index).vbt.fshift(1) for each in signals)

    def run() -> np.ndarray:
        portfolio = vbt.Portfolio.from_signals(
            close, entries, exits, price=opened, size=1.0, fees=FEE, init_cash=float(CASH), freq="1min"
        )
        equity = portfolio.value()
        assert len(portfolio.trades.records)
        assert len(portfolio.stats())
        return equity.to_numpy()

    return run


def in_backtesting(candles: OHLCV, signals: Signals) -> Callable[[], np.ndarray]:
    import pandas as pd  # noqa: PLC0415
    from backtesting import Backtest, Strategy  # noqa: PLC0415

    index = pd.to_datetime(candles.open_time, unit="ms")
    columns = {"Open": candles.open, "High": candles.high, "Low": candles.low, "Close": candles.close}
    frame = pd.DataFrame({name: each.copy() for name, each in columns.items()}, index=index)
    entries, exits = (each.astype(float) for each in signals)

    class Crossing(Strategy):
        def init(self) -> None:
            self.enter, self.leave = self.I(lambda: entries), self.I(lambda: exits)

        def next(self) -> None:
            if self.leave[-1]:
                self.position.close()
            elif self.enter[-1] and not self.position:
                self.buy(size=1)

    def run() -> np.ndarray:
        found = Backtest(frame, Crossing, cash=float(CASH), commission=FEE).run()
        assert len(found._trades)  # noqa: SLF001
        return found._equity_curve["Equity"].to_numpy()  # noqa: SLF001  (its documented result)

    return run


def in_raptorbt(candles: OHLCV, signals: Signals) -> Callable[[], np.ndarray]:
    import raptorbt  # noqa: PLC0415

    columns = [
        each.copy() for each in (candles.open, candles.high, candles.low, candles.close, candles.volume)
    ]
    times, entries, exits = candles.open_time * 1_000_000, signals[0] == 1, signals[1].copy()
    sizes = (
        1.5 * candles.open / float(CASH)
    )  # shares of the cash; the lot below makes exactly one unit of each
    whole = raptorbt.InstrumentConfig(lot_size=1.0)
    config = raptorbt.BacktestConfig(initial_capital=float(CASH), fees=FEE, fill_timing="next_bar_open")

    def run() -> np.ndarray:
        found = raptorbt.run_single_backtest(
            times, *columns, entries, exits, config=config, position_sizes=sizes, instrument_config=whole
        )
        assert len(found.trades()) == found.metrics.total_trades
        return np.asarray(found.equity_curve())

    return run


def peers(
    candles: OHLCV, signals: Signals, peer_bars: int
) -> Iterator[tuple[str, int, Callable[[], np.ndarray]]]:
    if find_spec("vectorbt"):
        yield "vectorbt", len(candles), in_vectorbt(candles, signals)
    if find_spec("raptorbt"):
        yield "RaptorBT", len(candles), in_raptorbt(candles, signals)
    if find_spec("backtesting"):
        yield (
            "backtesting.py",
            peer_bars,
            in_backtesting(candles[:peer_bars], tuple(s[:peer_bars] for s in signals)),
        )


def compared(name: str, theirs: np.ndarray, ours: np.ndarray) -> str:
    """What was equal. AssertionError beyond 1e-9 of what is comparable."""
    away = np.abs(theirs / ours - 1)
    if name == "backtesting.py":  # it books a commission at another bar, and closes nothing at the end
        assert np.median(away) < 1e-9, f"{name}: {np.median(away)}"
        return f"{name}: {np.mean(away < 1e-9):.1%} of bars within 1e-9, at most {away.max():.1e} where a fee is booked"
    assert away.max() < 1e-9, f"{name}: {away.max()} at bar {away.argmax()}"
    return f"{name}: every bar within {max(away.max(), 1e-16):.0e}"


def labels(rounds: int) -> float:
    """Milliseconds to label 30 instruments x 90 days of 1h for all strategies' levels, warm."""
    markets = {str(seed): walk(2_160, seed) for seed in range(30)}
    levels = [Levels(each.parameters.stop_atr, each.parameters.target_atr) for each in STRATEGIES.values()]
    one = Contender("labels", lambda: label_markets(markets, levels), 30 * 2_160)
    in_turn([one], rounds)
    return 1e3 * statistics.median(one.seconds)


def a_year_of_decisions(rounds: int) -> float:
    """Seconds of the fused decision at every close of a year of 1h, a partner given, warm."""
    base, partner = (replace(walk(365 * 24, seed), open_time=HOURS) for seed in (1, 2))
    settings = HybridSettings()
    context = DecisionContext(as_of=datetime(2026, 1, 1, tzinfo=UTC), partner=partner)

    def run() -> object:
        windows = {
            each: base if each is Timeframe.H1 else resample(base, each.value, "1h")
            for each in settings.timeframe_weights
        }
        return decisions(windows, settings, context)

    one = Contender("decisions", run, len(base))
    in_turn([one], rounds)
    return statistics.median(one.seconds)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--peer-bars", type=int, default=50_000, help="backtesting.py's slice of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="write the section here as well")
    asked = parser.parse_args()
    candles = walk(asked.bars)
    signals = crossings(candles)
    equity = plain(candles, signals)
    assert equity.tobytes() == general(candles, signals).tobytes(), "the two paths differ"
    equal, contenders = (
        [],
        [
            Contender("plain loop", lambda: plain(candles, signals), asked.bars),
            Contender("general step", lambda: general(candles, signals), asked.bars),
        ],
    )
    for name, bars, run in peers(candles, signals, asked.peer_bars):
        equal.append(compared(name, run(), equity[:bars]))
        contenders.append(Contender(name, run, bars))
    in_turn(contenders, asked.rounds)
    times = labels(asked.rounds), a_year_of_decisions(asked.rounds)
    text = report(asked, contenders, equal, times, sweeps(asked.rounds))
    print(text)
    if asked.markdown:
        write_section(asked.markdown, text, BEGIN, END)
    return 1 if "MISSED" in text else 0


def report(
    asked: argparse.Namespace,
    contenders: list[Contender],
    equal: list[str],
    times: tuple[float, float],
    swept: str,
) -> str:
    label_ms, decision_s = times
    rates = {one.name: one.rate for one in contenders}
    best = {one.name: one.bars / min(one.seconds) for one in contenders}
    lines = [
        BEGIN,
        "# A backtest and its peers\n",
        f"`python benchmarks/backtest.py --rounds {asked.rounds}`, commit {commit()}, {datetime.now(UTC):%Y-%m-%d}.",
        f"{machine()}. Medians of {asked.rounds} interleaved rounds after a warm-up, time of the processor.",
        f"{asked.bars:,} bars (backtesting.py: the first {asked.peer_bars:,}; compare rates), signals given.\n",
        "| | bars | median ms | ns a bar | shortest ms |",
        "|---|--:|--:|--:|--:|",
    ]
    for one in sorted(contenders, key=lambda each: -each.rate):
        median = statistics.median(one.seconds)
        shortest = min(one.seconds)
        lines.append(
            f"| {one.name} | {one.bars:,} | {1e3 * median:,.1f} | {1e9 * median / one.bars:,.1f} "
            f"| {1e3 * shortest:,.1f} |"
        )
    lines += ["", "Equity of the same run, against the plain loop (which is the general step bit for bit):\n"]
    lines += [f"- {line}" for line in equal] + [""]
    for (ours, peer), goal in GOALS.items():
        if peer in rates:
            factor = rates[ours] / rates[peer]
            shortest = best[ours] / best[peer]
            reached = "reached" if factor >= goal else "MISSED"
            lines.append(
                f"- {ours} ÷ {peer}: **{factor:.1f} ×** (shortest runs {shortest:.1f} ×), goal {goal} ×: {reached}"
            )
    reached = "reached" if label_ms <= LABEL_GOAL_MS else "MISSED"
    lines.append(
        f"- labels of 30 instruments × 90 days × {len(STRATEGIES)} strategies, both sides of every bar: "
        f"**{label_ms:.0f} ms** of the processor, goal {LABEL_GOAL_MS:.0f} ms: {reached}"
    )
    reached = "reached" if decision_s <= DECISIONS_GOAL_S else "MISSED"
    lines.append(
        f"- the fused decision at every close of a year of 1h: **{decision_s:.2f} s** of the processor, "
        f"goal {DECISIONS_GOAL_S:g} s: {reached}"
    )
    return "\n".join([*lines, swept, END, ""])


if __name__ == "__main__":
    sys.exit(main())
