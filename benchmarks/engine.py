"""One new candle through the engine: milliseconds for an instrument, and the indicators against plain pandas.

    python benchmarks/engine.py [--markdown docs/benchmarks.md]

Three windows of 500 bars (1h, 4h, 1d), fits already stored, one process kept on one core. Times are of the
processor, not of the clock, so that what else runs on the machine counts less. The pandas version is proven
equal before anything is timed.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from harness import commit, goal_line, machine, write_section
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import SPOT_COSTS, Costs
from signals.engine.fill import (
    BUY,
    FOREVER,
    MARKET,
    Bar,
    EntryOrder,
    bars_in_ticks,
    new_state,
    place,
    step,
)
from signals.engine.hybrid import BASE_TIMEFRAME, TIMEFRAME_WEIGHTS, explain, opinions
from signals.engine.indicators import momentum, trend, volatility, volume
from signals.engine.patterns.anomaly import anomaly_features
from signals.engine.patterns.isolation_forest import anomaly_score, fit_isolation_forest
from signals.engine.patterns.multi_timeframe import pattern_scores
from signals.engine.regime import regimes
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import Timeframe
from signals.engine.volatility import fit_volatility, forecast

BARS, FITTED_BARS = 500, 2_160
AS_OF = datetime(2025, 1, 1, tzinfo=UTC)
GOAL_MS, GOAL_RATIO, GOAL_SECONDS, GOAL_GROWTH_MIB, GOAL_FILL_NS = 15.0, 20.0, 15.0, 16.0, 10.0
BEGIN, END = "<!-- engine.py -->", "<!-- end of engine.py -->"

Windows = dict[Timeframe, OHLCV]
Columns = dict[str, FloatArray]
TicksArray = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass
class Part:
    """Something that is done once for each new candle of an instrument."""

    name: str
    run: Callable[[Windows], object]
    milliseconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


def walk(bars: int, seed: int, timeframe: Timeframe) -> OHLCV:
    """A random walk whose last bar closes at AS_OF."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, bars)))
    opened = np.concatenate(([100.0], close[:-1]))
    reach = np.abs(rng.normal(0, 0.004, (2, bars)))
    end = int(AS_OF.timestamp() * 1000)
    return OHLCV(
        end - timeframe.milliseconds * np.arange(bars, 0, -1),
        opened,
        np.maximum(opened, close) * (1 + reach[0]),
        np.minimum(opened, close) * (1 - reach[1]),
        close,
        rng.uniform(1, 100, bars),
    )


def instruments(count: int) -> Iterator[Windows]:
    """Windows of one instrument after the other, made when asked for, as live loads them from the database."""
    for seed in range(count):
        yield {timeframe: walk(BARS, seed, timeframe) for timeframe in TIMEFRAME_WEIGHTS}


def ours(window: OHLCV) -> Columns:
    bars = (window.high, window.low, window.close)
    bands, lines = volatility.bollinger_bands(window.close), trend.macd(window.close)
    channel = volatility.donchian(window.high, window.low, 20)
    return {
        "sma": trend.sma(window.close, 20),
        "ema": trend.ema(window.close, 20),
        "macd": lines.macd,
        "macd signal": lines.signal,
        "rsi": momentum.rsi(window.close),
        "atr": volatility.atr(*bars),
        "adx": trend.adx(*bars),
        "+di": trend.plus_di(*bars),
        "-di": trend.minus_di(*bars),
        "bollinger upper": bands.upper,
        "bollinger lower": bands.lower,
        "donchian upper": channel.upper,
        "donchian lower": channel.lower,
        "vwap": volume.vwap(*bars, window.volume, 20),
    }


def in_pandas(window: OHLCV) -> Columns:
    """The same from the textbooks, seeded as TA-Lib seeds it."""
    high, low, close = (pd.Series(each) for each in (window.high, window.low, window.close))
    change, before = close.diff(), close.shift()
    ranges = pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(axis=1)
    rise, fall = high.diff(), -low.diff()
    up, down = rise.where((rise > fall) & (rise > 0), 0.0), fall.where((fall > rise) & (fall > 0), 0.0)
    gain, loss = (wilder(moves, 1, 14) for moves in (change.clip(lower=0), -change.clip(upper=0)))
    moved = directional(ranges)
    plus, minus = 100 * directional(up) / moved, 100 * directional(down) / moved
    line = exponential(close, 12, 25) - exponential(close, 26, 25)
    middle, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    typical, traded = (high + low + close) / 3, pd.Series(window.volume)
    found = {
        "sma": middle,
        "ema": exponential(close, 20, 19),
        "macd": line.where(line.index >= 33),
        "macd signal": exponential(line, 9, 33),
        "rsi": 100 * gain / (gain + loss),
        "atr": wilder(ranges, 1, 14),
        "adx": wilder(100 * (plus - minus).abs() / (plus + minus), 14, 14),
        "+di": plus,
        "-di": minus,
        "bollinger upper": middle + 2 * deviation,
        "bollinger lower": middle - 2 * deviation,
        "donchian upper": high.rolling(20).max(),
        "donchian lower": low.rolling(20).min(),
        "vwap": (typical * traded).rolling(20).sum() / traded.rolling(20).sum(),
    }
    return {name: series.to_numpy() for name, series in found.items()}


def seeded(values: pd.Series, row: int, seed: float, smoothing: float) -> pd.Series:
    started = values.copy()
    started.iloc[:row], started.iloc[row] = np.nan, seed
    return started.ewm(alpha=smoothing, adjust=False).mean()


def exponential(values: pd.Series, period: int, row: int) -> pd.Series:
    return seeded(values, row, values.iloc[row - period + 1 : row + 1].mean(), 2 / (period + 1))


def wilder(values: pd.Series, first: int, period: int) -> pd.Series:
    row = first + period - 1
    return seeded(values, row, values.iloc[first : row + 1].mean(), 1 / period)


def directional(values: pd.Series) -> pd.Series:
    """Wilder's sums over 14 bars, divided by 14, known from the bar after their seed."""
    smooth = seeded(values, 13, values.iloc[1:14].sum() / 14, 1 / 14)
    return smooth.where(smooth.index > 13)


def require_as_pandas(windows: Windows) -> None:
    """Speed of a wrong answer is worth nothing."""
    for window in windows.values():
        mine, theirs = ours(window), in_pandas(window)
        for name in mine:
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-8, atol=1e-8, err_msg=name)


def parts() -> list[Part]:
    """What is timed; the last two of a decision are what it holds beside strategies and their indicators."""
    fitted = fit_volatility(np.diff(np.log(walk(FITTED_BARS, 1, BASE_TIMEFRAME).close)))
    forest = fit_isolation_forest(anomaly_features(walk(FITTED_BARS, 1, BASE_TIMEFRAME)), seed=1)
    context = DecisionContext(as_of=AS_OF)

    def each(function: Callable[[OHLCV], object]) -> Callable[[Windows], object]:
        return lambda windows: [function(window) for window in windows.values()]

    def expected(windows: Windows) -> float:
        return forecast(fitted, np.diff(np.log(windows[BASE_TIMEFRAME].close)))

    def anomaly(windows: Windows) -> FloatArray:
        return anomaly_score(forest, anomaly_features(windows[BASE_TIMEFRAME])[-1:])

    return [
        Part("indicators", each(ours)),
        Part("the same indicators, plain pandas", each(in_pandas)),
        Part("all strategies with their indicators", each(lambda window: opinions(window, context))),
        Part("regimes", each(regimes)),
        Part("whole decision (strategies, regimes, blend)", lambda windows: explain(windows, context)),
        Part("volatility forecast", expected),
        Part("pattern scores of all candlesticks and divergences", pattern_scores),
        Part("anomaly score of the new bar", anomaly),
    ]


def take_turns(timed: list[Part], rounds: int) -> None:
    """Each part in turn on the same windows; the first three rounds warm up and are not counted."""
    for number, windows in enumerate(instruments(rounds + 3)):
        for part in timed:
            begun = time.process_time()
            part.run(windows)
            if number >= 3:
                part.milliseconds.append(1000 * (time.process_time() - begun))


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Sweep:
    seconds: float
    before_mib: float
    after_mib: float


def sweep(count: int, candle: list[Part]) -> Sweep:
    """`count` instruments, one after the other; making their windows is not timed."""
    seconds = 0.0
    before = resident_mib()
    for windows in instruments(count):
        begun = time.process_time()
        for part in candle:
            part.run(windows)
        seconds += time.process_time() - begun
    return Sweep(seconds, before, resident_mib())


def fit_times() -> dict[str, float]:
    """Milliseconds of the daily fits of one instrument, which no candle waits for."""
    base = walk(FITTED_BARS, 2, BASE_TIMEFRAME)
    fits: dict[str, Callable[[], object]] = {
        "volatility (EWMA, HAR, GARCH; judged out of sample)": lambda: fit_volatility(
            np.diff(np.log(base.close))
        ),
        "isolation forest, 100 trees": lambda: fit_isolation_forest(anomaly_features(base), seed=1),
    }
    taken = {}
    for name, fit in fits.items():
        begun = time.process_time()
        fit()
        taken[name] = 1000 * (time.process_time() - begun)
    return taken


@njit
def traded(bars: TicksArray, costs: Costs) -> int:
    """Every bar through the fill step; whenever nothing is held, a new trade with stop, target and time limit."""
    state = new_state(-1)
    for opened, first, high, low, last in bars:
        state, _ = step(state, Bar(opened, first, high, low, last), costs)
        if state.position.lots == 0:
            state = place(state, EntryOrder(BUY, MARKET, 0, 10, last - 2_000, last + 3_000, FOREVER, 24))
    equity: int = state.cash
    return equity


def step_nanoseconds() -> float:
    """Of one bar, the fastest of five passes over a million."""
    bars = np.tile(bars_in_ticks(walk(1_000, 3, BASE_TIMEFRAME), 0.001), (1_000, 1))
    bars[:, 0] = np.arange(len(bars))
    costs = SPOT_COSTS.in_ppm()
    traded(bars[:2], costs)
    taken = []
    for _ in range(5):
        begun = time.process_time()
        traded(bars, costs)
        taken.append(time.process_time() - begun)
    return 1e9 * min(taken) / len(bars)


def report(timed: list[Part], candle: list[Part], found: Sweep, count: int, command: str) -> str:
    total = sum(part.median for part in candle)
    ratio = timed[1].median / timed[0].median
    growth = found.after_mib - found.before_mib
    filled = step_nanoseconds()
    lines = [
        BEGIN,
        "# One new candle through the engine\n",
        f"`{command}`, commit {commit()}, {datetime.now(UTC):%Y-%m-%d}. {machine()}, pandas {pd.__version__}.",
        f"Three windows of {BARS} bars (1h, 4h, 1d) of random walks, fits stored, one core, processor time, medians of",
        f"{len(timed[0].milliseconds)} interleaved rounds. The pandas figures were proven equal (1e-8) first.\n",
        "| per instrument and candle | median ms | fastest ms |",
        "|---|--:|--:|",
        *(f"| {part.name} | {part.median:.2f} | {min(part.milliseconds):.2f} |" for part in timed),
        "",
        "Once a day and instrument, apart from any candle:\n",
        "| fit | ms |",
        "|---|--:|",
        *(f"| {name} | {taken:.0f} |" for name, taken in fit_times().items()),
        "",
        "A candle needs the whole decision, the forecast, the pattern scores and the anomaly score.\n",
        goal_line(f"a candle: **{total:.1f} ms**, goal {GOAL_MS:g} ms", reached=total <= GOAL_MS),
        goal_line(f"{len(ours(walk(BARS, 1, BASE_TIMEFRAME)))} indicators against plain pandas: **{ratio:.0f} ×**, "
                f"goal {GOAL_RATIO:g} ×", reached=ratio >= GOAL_RATIO),
        goal_line(f"{count:,} instruments on one worker: **{found.seconds:.1f} s**, goal "
                f"{GOAL_SECONDS * count / 1000:g} s", reached=found.seconds <= GOAL_SECONDS * count / 1000),
        goal_line(f"memory meanwhile: {found.before_mib:.0f} → {found.after_mib:.0f} MiB, goal flat "
                f"(+{GOAL_GROWTH_MIB:g} MiB)", reached=growth <= GOAL_GROWTH_MIB),
        goal_line(f"a bar through the fill step, trading all the time: **{filled:.1f} ns**, goal {GOAL_FILL_NS:g} ns",
                reached=filled <= GOAL_FILL_NS),
        END,
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--instruments", type=int, default=1_000)
    parser.add_argument("--markdown", type=Path, help="write the section here as well")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    require_as_pandas(next(instruments(1)))
    timed = parts()
    take_turns(timed, asked.rounds)
    candle = timed[4:]
    found = sweep(asked.instruments, candle)
    command = f"python benchmarks/engine.py --rounds {asked.rounds} --instruments {asked.instruments}"
    text = report(timed, candle, found, asked.instruments, command)
    print(text)
    if asked.markdown:
        write_section(asked.markdown, text, BEGIN, END)
    return 1 if "MISSED" in text else 0


if __name__ == "__main__":
    sys.exit(main())
