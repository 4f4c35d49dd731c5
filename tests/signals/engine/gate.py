"""What the look-ahead and the recursive gate have in common: the walk over the engine, and how each part is run.

To register something public and new in `signals.engine`:
- a function whose rows speak of a moment: decorate it with `signals.engine.registry.row_wise`;
- a strategy: enter it in `STRATEGIES`, and see that `context` gives it what it reads;
- anything else that sees candles: write how it is run into `CASES` in look_ahead_cases.py;
- what cannot see the future because it sees no series: a line in `EXCUSED` of test_look_ahead.py, with the reason.
"""

import functools
import importlib
import inspect
import pkgutil
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

import numpy as np

import signals.engine
from signals.engine.candle import OHLCV
from signals.engine.patterns.candlesticks import detect_all
from signals.engine.registry import RowWise
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext, StrategySeries

COLUMNS = ("open_", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Scene:
    """A market and what else is known at each of its bars."""

    ohlcv: OHLCV
    votes: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """`run` gives columns; row i of each is known at bar `known_at[i]` of the scene (by default at bar i).

    With `at_open` it is known when that bar opens, so that even the bar's own high, low, close and volume
    must not touch it. `leading` is how many rows it needs at least, `rows` how many it is shown
    of the usual scene, in place of which it may bring a `market` of its own.
    """

    run: Callable[[Scene], Mapping[str, np.ndarray]]
    known_at: Callable[[Scene], np.ndarray] | None = None
    at_open: bool = False
    leading: int = 0
    rows: int = 1_600
    market: Callable[[], Scene] | None = None

    def scene(self) -> Scene:
        return self.market() if self.market else scene(self.rows, seed=1)


def scene(rows: int, seed: int) -> Scene:
    """Trending, calm and wild stretches on a grid of prices, with gaps, equal prices and bars without trade."""
    rng = np.random.default_rng(seed)
    size = np.repeat(rng.choice([0.002, 0.006, 0.02], rows // 50 + 1), 50)[:rows]
    drift = np.repeat(rng.choice([-0.3, 0.0, 0.3], rows // 80 + 1), 80)[:rows]
    drift = drift - 0.2 * (np.cumsum(size * drift) > 0.5)
    close = 200 * np.exp(np.cumsum(size * (drift + rng.normal(0, 1, rows))))
    gap = np.where(rng.random(rows) < 0.2, rng.normal(0, 0.5, rows) * size, 0)
    open_ = np.concatenate(([200.0], close[:-1])) * np.exp(gap)
    reach = np.abs(rng.normal(0, 0.5, (2, rows))) * size * rng.integers(0, 2, (2, rows))
    high = np.maximum(open_, close) * np.exp(reach[0])
    low = np.minimum(open_, close) * np.exp(-reach[1])
    volume = np.where(rng.random(rows) < 0.01, 0.0, rng.lognormal(3, 1, rows))
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
    times = start + 3_600_000 * np.arange(rows)
    ohlcv = OHLCV(times, *(np.maximum(column.round(1), 0.1) for column in (open_, high, low, close)), volume)
    return Scene(ohlcv, {name: rng.uniform(-1, 1, rows) for name in (*STRATEGIES, "model")})


def scrambled(whole: Scene, last: int, rng: np.random.Generator, *, at_open: bool = False) -> Scene:
    """The same past up to bar `last` (of which only the open is kept with `at_open`), and then noise."""
    rows = len(whole.ohlcv)
    level = np.exp(rng.uniform(-3, 3)) * whole.ohlcv.close[last]
    noise = level * np.exp(rng.normal(0, 0.3, (4, rows)))
    noise[0, last] = whole.ohlcv.open[last] if at_open else noise[0, last]
    open_, close = noise[0], noise[1]
    high, low = noise.max(axis=0), noise.min(axis=0)
    future = np.arange(rows) >= last if at_open else np.arange(rows) > last
    columns = (
        np.where(future, other, getattr(whole.ohlcv, name))
        for name, other in zip(
            ("open", "high", "low", "close", "volume"),
            (open_, high, low, close, rng.lognormal(5, 2, rows)),
            strict=True,
        )
    )
    votes = {name: np.where(future, rng.uniform(-1, 1, rows), vote) for name, vote in whole.votes.items()}
    return Scene(OHLCV(whole.ohlcv.open_time, *columns), votes)


def structured(rows: int, seed: int) -> OHLCV:
    """Bodies, gaps and shadows of a few sizes in many orders: among them is every candlestick pattern."""
    rng = np.random.default_rng(seed)
    place = np.arange(rows) % 9
    side = np.cumprod(np.where(rng.random(rows) < 0.3, -1, 1))
    side[(place == 4) | (place == 8)] = 1  # the long bodies around a mat hold
    resting = (place > 4) & (place < 8)
    side[resting] = -1
    body = rng.choice([0.0, 0.2, 1.0, 2.0, 4.0], rows, p=[0.1, 0.15, 0.2, 0.25, 0.3])
    body = np.where(resting & (rng.random(rows) < 0.5), rng.choice([0.2, 0.4], rows), body) * side
    before = np.concatenate(([0.0], body[:-1]))
    step = np.sign(before)
    gaps = (0 * step, -before / 2, -before, 0.4 * step, 2.0 * step, -0.4 * step, -1.4 * before)
    open_ = np.cumsum(before + np.choose(rng.integers(0, 7, rows), gaps).round(1))
    open_ += 50 - min(open_.min(), (open_ + body).min())
    close = open_ + body
    shadows = rng.choice([0.0, 0.2, 2.5], (2, rows), p=[0.6, 0.25, 0.15])
    high, low = np.maximum(open_, close) + shadows[0], np.minimum(open_, close) - shadows[1]
    columns = (column.round(1) for column in (open_, high, low, close))
    return OHLCV(3_600_000 * np.arange(rows), *columns, np.ones(rows))


@functools.cache
def gallery() -> Scene:
    """Three specimens of every candlestick pattern, each with the 39 bars before it, in random order."""
    bars = structured(400_000, seed=3)
    rng, ends = np.random.default_rng(4), []
    for found in detect_all(bars).values():
        ends.extend(np.flatnonzero(found[:-1] * (np.arange(len(bars) - 1) > 40))[:3])
    rng.shuffle(ends)
    rows = (np.array(ends)[:, np.newaxis] + np.arange(-39, 1)).ravel()
    columns = (getattr(bars, name)[rows] for name in ("open", "high", "low", "close", "volume"))
    return Scene(OHLCV(3_600_000 * np.arange(len(rows)), *columns), {})


def context(given: Scene) -> DecisionContext:
    closes = int(given.ohlcv.open_time[-1]) + 3_600_000
    as_of = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=closes)
    if not given.votes:
        return DecisionContext(as_of=as_of)
    partner = given.ohlcv.close * np.exp(0.002 * np.arctanh(given.votes["pairs_trading"]))
    return DecisionContext(
        as_of=as_of,
        votes=given.votes,
        sentiment=given.votes["sentiment"],
        partner=OHLCV(given.ohlcv.open_time, *(partner,) * 4, given.ohlcv.volume),
    )


def row_wise_case(entry: RowWise, leading: int, market: Callable[[], Scene] | None = None) -> Case:
    """A registered function, called with the columns that it names and its defaults or examples."""

    def run(given: Scene) -> Mapping[str, np.ndarray]:
        arguments = {}
        for name, each in inspect.signature(entry.function).parameters.items():
            if name in COLUMNS:
                arguments[name] = getattr(given.ohlcv, name.rstrip("_"))
            elif name == "ohlcv":
                arguments[name] = given.ohlcv
            elif each.default is inspect.Parameter.empty:
                arguments[name] = entry.example[name]
        return outputs(entry.function(**arguments))

    return Case(run, leading=leading, market=market)


def strategy_case(name: str) -> Case:
    def run(given: Scene) -> Mapping[str, np.ndarray]:
        return series_columns(STRATEGIES[name].evaluate(given.ohlcv, context(given)))

    return Case(run, leading=STRATEGIES[name].minimum_bars)


def series_columns(series: StrategySeries) -> Mapping[str, np.ndarray]:
    names = ("direction", "confidence", "entry_price", "stop_loss", "take_profit")
    return {name: getattr(series, name) for name in names}


@dataclass
class Comparison:
    """`counted`: in how many of the moments a column had something to lose; `changed`: where it lost it."""

    counted: dict[str, int]
    changed: list[str]


def compare(case: Case, whole: Scene, moments: int, seed: int) -> Comparison:
    """Run `case` on `whole` and on copies whose future is noise, and compare what was known before, bit for bit.

    A column counts at a moment only where what it gave before is finite and not constant.
    """
    rng = np.random.default_rng(seed)
    honest, known_at = case.run(whole), _known_at(case, whole)
    found = Comparison(dict.fromkeys(honest, 0), [])
    for last in rng.integers(max(case.leading, len(whole.ohlcv) // 2), len(whole.ohlcv) - 1, moments):
        other = case.run(scrambled(whole, int(last), rng, at_open=case.at_open))
        for name, column in honest.items():
            rows = np.flatnonzero(known_at <= last)
            before, after = column[rows], other[name][rows]
            distinct = np.unique(before[np.isfinite(before)])
            found.counted[name] += len(distinct) > 1
            if before.tobytes() != after.tobytes():
                differ = np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after)))
                first = rows[differ[0]] if len(differ) else "a zero's sign"
                found.changed.append(f"{name} row {first} knows what came after bar {last}")
    return found


def _known_at(case: Case, given: Scene) -> np.ndarray:
    return np.arange(len(given.ohlcv)) if case.known_at is None else case.known_at(given)


def outputs(result: typing.Any) -> Mapping[str, np.ndarray]:
    """Columns by name of what a function returned: arrays by name, one array, or several side by side."""
    if isinstance(result, Mapping):
        return result
    if not isinstance(result, np.ndarray):
        return result._asdict()
    if result.ndim == 1:
        return {"": result}
    return {str(place): column for place, column in enumerate(result.T.copy())}


def public_callables() -> Iterator[tuple[str, object]]:
    """Every public function, class and method that is defined in the engine, by its full name."""
    for found in pkgutil.walk_packages(signals.engine.__path__, "signals.engine."):
        module = importlib.import_module(found.name)
        for name, each in vars(module).items():
            if not name.startswith("_") and callable(each) and _defined_in(module.__name__, each):
                yield from _with_methods(f"{module.__name__}.{name}", each)


def _defined_in(module: str, each: object) -> bool:
    if typing.get_origin(each) is not None:  # an alias of a type
        return False
    home, name = getattr(each, "__module__", None), getattr(each, "__name__", None)
    if home == module or isinstance(each, functools.partial):
        return True
    if isinstance(each, type) or inspect.isroutine(each):
        return False
    return getattr(sys.modules.get(home or ""), name or "", None) is not each


def _with_methods(name: str, each: object) -> Iterator[tuple[str, object]]:
    if not isinstance(each, type):
        yield name, each
        return
    if not _only_holds(each):
        yield name, each
    for method, function in vars(each).items():
        unwrapped = getattr(function, "__func__", function)
        if not method.startswith("_") and inspect.isfunction(unwrapped) and not issubclass(each, tuple):
            yield f"{name}.{method}", function


def _only_holds(each: type) -> bool:
    """Kinds of class that compute nothing when they are made; their methods are walked all the same."""
    kinds = (Enum, Exception, tuple)
    return issubclass(each, kinds) or is_dataclass(each) or getattr(each, "_is_protocol", False)
