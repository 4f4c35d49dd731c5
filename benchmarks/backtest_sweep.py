"""A sweep of pairs of means, ours and vectorbt's: time, and in processes of their own the peak of memory.

`backtest.py` calls it. `backtest_sweep.py ours|vectorbt PAIRS` sweeps once and prints its peak in MiB.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from harness import REPOSITORY, Contender

from autopilot.engine.sweep import sweep_crossings
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import CostRates

CASH = Decimal(1_000_000)
RATES = CostRates(maker_bps=Decimal(10), taker_bps=Decimal(10), slippage_bps=Decimal(0))
FEE = 0.001
SWEEP_BARS, SWEEP_GOAL, MEMORY_GOAL = 100_000, 200, 10
PAIRS, VECTORBT_PAIRS = 1_000, 400  # of the latter, memory is measured on so many
WINDOWS = np.unique(np.geomspace(10, 400, 46).astype(int))


def walk(bars: int, seed: int = 1) -> OHLCV:
    """Prices of eight digits and more, opens where the bar before closed."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.0005, bars))), 6)
    opened = np.concatenate(([close[0]], close[:-1]))
    reach = np.round(np.abs(rng.normal(0, 0.02, (2, bars))), 6)
    high, low = np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1]
    return OHLCV(np.arange(bars) * 60_000, opened, high, low, close, np.full(bars, 1e3))


def in_turn(contenders: list[Contender], rounds: int) -> None:
    """Each once a round; the first round warms up. Time of the processor, all threads together."""
    for number in range(rounds + 1):
        for one in contenders:
            begun = time.process_time()
            one.run()
            if number:
                one.seconds.append(time.process_time() - begun)
        print(f"round {number} of {rounds}", file=sys.stderr)


def scene() -> tuple[OHLCV, Callable[[], FloatArray], list[tuple[int, int]]]:
    candles = walk(SWEEP_BARS)
    pairs = [(a, b) for a in range(len(WINDOWS)) for b in range(a + 1, len(WINDOWS))][:PAIRS]

    def means() -> FloatArray:
        sums = np.cumsum(np.insert(candles.close, 0, 0.0))
        found = np.full((len(WINDOWS), len(candles)), np.nan)
        for mean, bars in zip(found, WINDOWS, strict=True):
            mean[bars - 1 :] = (sums[bars:] - sums[:-bars]) / bars
        return found

    return candles, means, pairs


def swept(candles: OHLCV, means: FloatArray, pairs: list[tuple[int, int]]) -> FloatArray:
    return sweep_crossings(candles, means, pairs, cash=CASH, quantity=Decimal(1), rates=RATES).final_equity


def sweeps(rounds: int, sample: int = 40) -> str:
    """A sweep of 1,000 pairs of means over 100,000 bars; vectorbt's rate is that of the first `sample` pairs."""
    candles, means, pairs = scene()

    def ours(chosen: list[tuple[int, int]] = pairs) -> FloatArray:
        return swept(candles, means(), chosen)

    contenders = [Contender("sweep", ours, len(pairs))]
    line = f"- sweep of {len(pairs):,} pairs × {SWEEP_BARS:,} bars: "
    if find_spec("vectorbt"):
        theirs = in_vectorbt(candles, pairs[:sample])
        away = np.abs(theirs() / ours(pairs[:sample]) - 1)
        assert away.max() < 1e-9, f"vectorbt's sweep: {away.max()}"
        contenders.append(Contender("vectorbt", theirs, sample))
    in_turn(contenders, rounds)
    line += f"**{1e3 * statistics.median(contenders[0].seconds):.0f} ms** of the processor"
    if len(contenders) > 1:
        factor = contenders[0].rate / contenders[1].rate
        reached = "reached" if factor >= SWEEP_GOAL else "MISSED"
        line += f", **{factor:.0f} ×** vectorbt (measured on {sample} pairs), goal {SWEEP_GOAL} ×: {reached}"
        line += memory()
    return line


def in_vectorbt(candles: OHLCV, pairs: list[tuple[int, int]]) -> Callable[[], np.ndarray]:
    """Its documented way: one run of means for each side, crossings, one portfolio with a column for each pair."""
    import pandas as pd  # noqa: PLC0415
    import vectorbt as vbt  # noqa: PLC0415

    index = pd.to_datetime(candles.open_time, unit="ms")
    close, opened = (pd.Series(each.copy(), index=index) for each in (candles.close, candles.open))
    fast, slow = zip(*((WINDOWS[a], WINDOWS[b]) for a, b in pairs), strict=True)

    def run() -> np.ndarray:
        first, second = vbt.MA.run(close, fast), vbt.MA.run(close, slow)
        entries = first.ma_crossed_above(second).vbt.fshift(1).to_numpy()
        exits = first.ma_crossed_below(second).vbt.fshift(1).to_numpy()
        portfolio = vbt.Portfolio.from_signals(
            close, entries, exits, price=opened, size=1.0, fees=FEE, init_cash=float(CASH), freq="1min"
        )
        assert len(portfolio.trades.count()) == len(pairs)
        return portfolio.final_value().to_numpy()

    return run


def memory() -> str:
    """Peaks of processes that only sweep: ours all pairs, vectorbt some of them, which already is a lower bound."""
    ours, theirs = (
        int(
            subprocess.run(
                [sys.executable, __file__, name, str(pairs)],
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for name, pairs in (("ours", PAIRS), ("vectorbt", VECTORBT_PAIRS))
    )
    factor = theirs / ours
    return (
        f"\n- peak memory of a process that only sweeps: **{ours} MiB** with {PAIRS:,} pairs, "
        f"vectorbt's {theirs:,} MiB with {VECTORBT_PAIRS} of them, **{factor:.1f} ×**, goal {MEMORY_GOAL} ×: "
        f"{'reached' if factor >= MEMORY_GOAL else 'MISSED'}"
    )


def peak_mib() -> int:
    line = next(
        each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")
    )
    return int(line.split()[1]) // 1024


def main() -> None:
    name, count = sys.argv[1], int(sys.argv[2])
    candles, means, pairs = scene()
    if name == "ours":
        swept(candles, means(), pairs[:count])
    else:
        in_vectorbt(candles, pairs[:count])()
    print(peak_mib())


if __name__ == "__main__":
    main()
