"""Samples for the selector out of stored candles: what was seen at a close, and which group then paid best.

A sample asks which group to listen to over the next LOOK_BARS bars: whoever chooses a group waits for its signals.
A strategy's result is the mean R, after costs, of the trades that it opened in that time (levels of its own, entered
at the next open, ended by the fill code); a group's is the mean over its strategies' trades, NaN where it opened
none. The label is the group that made most. A label looks LOOK_BARS, then a trade's longest life, ahead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from autopilot.engine.groups import GROUP_ORDER, rule_groups
from autopilot.engine.labels import Levels, label_levels
from autopilot.engine.records import StrategyRecords, count_records
from autopilot.engine.sampling import Sampling, sampled_rows
from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import SPOT_COSTS, CostRates
from signals.engine.features import market_features
from signals.engine.horizon import HORIZON_BARS
from signals.engine.hybrid import opinions
from signals.engine.regime import UNKNOWN, regimes
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import DecisionContext, LevelParameters
from signals.engine.timeframe import Timeframe

IntArray = npt.NDArray[np.int64]

LOOK_BARS = 12
HORIZON = LOOK_BARS + HORIZON_BARS + 1


@dataclass(frozen=True, slots=True, eq=False)
class TrainingMarket:
    """One instrument's closed candles of one timeframe; without `can_short` its shorts are no trades."""

    name: str
    candles: OHLCV
    rates: CostRates = SPOT_COSTS
    can_short: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Rows in the order of time, of all instruments.

    features (n, k), labels (n,) 0 to 4, decided_at (n,) UTC ms, results (n, 5) mean R of each group's trades or NaN,
    rules (n,) the group that rules would choose, markets (n,) place in `names`. fired (n, 14): 1 or -1 where a
    strategy spoke at that very bar; trades (n, 14): the R of that trade, NaN where there is none.
    records: how each strategy did in each regime. left_out: strategies with too few trades to be judged.
    """

    names: tuple[str, ...]
    features: FloatArray
    labels: IntArray
    decided_at: IntArray
    results: FloatArray
    rules: IntArray
    regime: npt.NDArray[np.int8]
    markets: IntArray
    fired: npt.NDArray[np.int8]
    trades: FloatArray
    records: StrategyRecords
    left_out: tuple[str, ...]
    horizon_ms: int

    def __len__(self) -> int:
        return len(self.labels)


def collect_samples(
    markets: Sequence[TrainingMarket],
    *,
    timeframe: Timeframe,
    sampling: Sampling = Sampling.FULL,
    min_samples_per_strategy: int = 1,
    on_market: Callable[[int, str], None] | None = None,
) -> Samples:
    """Samples of every market, merged by time. A strategy with fewer trades than asked for is left out of them all.

    Rows whose label is not known yet, or in which no group traded, are no samples. ValueError for no market.
    """
    if not markets:
        raise ValueError("no market to take samples from")
    seen = []
    for number, market in enumerate(markets):
        if on_market:
            on_market(number, market.name)
        seen.append(_looked_at(market, timeframe))
    trades = [np.isfinite(each.trades).sum(axis=0) for each in seen]
    enough = np.sum(trades, axis=0) >= min_samples_per_strategy
    parts = [_sampled(number, each, timeframe, sampling, enough) for number, each in enumerate(seen)]
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(merged["decided_at"], kind="stable")
    records = count_records(
        np.concatenate([each.trades for each in seen]),
        np.concatenate([each.regime for each in seen]),
        np.concatenate([each.group_ahead for each in seen]),
    )
    return Samples(
        names=tuple(market.name for market in markets),
        records=records,
        left_out=tuple(name for name, kept in zip(STRATEGIES, enough, strict=True) if not kept),
        horizon_ms=HORIZON * timeframe.milliseconds,
        **{name: column[order] for name, column in merged.items()},
    )


def thinned(samples: Samples, most: int) -> Samples:
    """Every n-th row, so that at most `most` are left; neighbours of a full sample say nearly the same."""
    step = -(-len(samples) // most)
    if step <= 1:
        return samples
    columns = (
        "features",
        "labels",
        "decided_at",
        "results",
        "rules",
        "regime",
        "markets",
        "fired",
        "trades",
    )
    return replace(samples, **{name: getattr(samples, name)[::step] for name in columns})


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One market bar by bar. trades (rows, 14); group_ahead (rows, 5) is filled with every strategy heard."""

    candles: OHLCV
    features: FloatArray
    regime: npt.NDArray[np.int8]
    fired: npt.NDArray[np.int8]
    trades: FloatArray
    group_ahead: FloatArray


def _looked_at(market: TrainingMarket, timeframe: Timeframe) -> _Seen:
    candles = market.candles
    moment = datetime.fromtimestamp(timeframe.close_time(int(candles.open_time[-1])) / 1000, UTC)
    series = opinions(candles, DecisionContext(as_of=moment, memo={}))
    levels = {name: _levels_of(name) for name in series}
    labels = label_levels(candles, levels.values(), rates=market.rates)
    fired = np.column_stack([np.where(each.judges(), each.direction, 0) for each in series.values()])
    if not market.can_short:
        fired = np.maximum(fired, 0)
    fired = fired.astype(np.int8)
    trades = np.column_stack([labels[levels[name]].of(fired[:, place]) for place, name in enumerate(series)])
    everyone = np.ones(trades.shape[1], dtype=bool)
    regime = regimes(candles)
    return _Seen(candles, market_features(candles), regime, fired, trades, _ahead(trades, everyone))


def _levels_of(name: str) -> Levels:
    chosen = STRATEGIES[name].parameters
    if not isinstance(chosen, LevelParameters):
        raise TypeError(f"{name} has no stop and target in ATRs: its trades cannot be labelled")
    return Levels(chosen.stop_atr, chosen.target_atr)


def _ahead(trades: FloatArray, counted: npt.NDArray[np.bool_]) -> FloatArray:
    """(rows, 5): mean R of each group's trades opened on the LOOK_BARS bars from this one on, NaN for none.

    A trade of the last bars may have no label yet; whoever asks for samples leaves those rows out.
    """
    ahead = np.full((len(trades), len(GROUP_ORDER)), np.nan)
    made, there = np.where(np.isfinite(trades), trades, 0.0), np.isfinite(trades)
    for place, group in enumerate(GROUP_ORDER):
        members = [
            number
            for number, each in enumerate(STRATEGIES.values())
            if each.group is group and counted[number]
        ]
        sums, counts = _next(made[:, members].sum(axis=1)), _next(there[:, members].sum(axis=1))
        np.divide(sums, counts, out=ahead[:, place], where=counts > 0)
    return ahead


def _next(values: npt.NDArray[np.generic]) -> FloatArray:
    """Sum of this row and the LOOK_BARS - 1 after it; near the end of what there is."""
    total = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    last = np.minimum(np.arange(len(values)) + LOOK_BARS, len(values))
    summed: FloatArray = total[last] - total[:-1]
    return summed


def _sampled(
    number: int, seen: _Seen, timeframe: Timeframe, sampling: Sampling, enough: npt.NDArray[np.bool_]
) -> Mapping[str, npt.NDArray[np.generic]]:
    results = _ahead(seen.trades, enough)
    rows = sampled_rows(seen.candles.open_time, seen.regime, timeframe=timeframe, sampling=sampling)
    rows = rows[rows < len(seen.candles) - HORIZON]  # later rows do not know their label yet
    rows = rows[np.isfinite(results[rows]).any(axis=1) & (seen.regime[rows] != UNKNOWN)]
    best = np.where(np.isfinite(results[rows]), results[rows], -np.inf).argmax(axis=1)
    return {
        "features": seen.features[rows],
        "labels": best.astype(np.int64),
        "decided_at": seen.candles.open_time[rows] + timeframe.milliseconds,
        "results": results[rows],
        "rules": rule_groups(seen.regime[rows]),
        "regime": seen.regime[rows],
        "markets": np.full(len(rows), number, dtype=np.int64),
        "fired": seen.fired[rows],
        "trades": seen.trades[rows],
    }
