"""A declared warm-up is enough: a window of that many bars ends in the same value as a far longer one."""

from collections.abc import Mapping

import numpy as np
import pytest

from signals.engine.registry import ROW_WISE, warm_up
from signals.engine.strategies import STRATEGIES
from tests.signals.engine.gate import Case, Scene, gallery, row_wise_case, scene, strategy_case

HISTORY = 4_000
MOMENTS = 60
MARKETS = {"signals.engine.patterns.candlesticks.detect_all": gallery}
TOLERANCE = 1e-6
DEVIATION_BARS = 100


def ending(whole: Scene, last: int, bars: int) -> Scene:
    rows = slice(last + 1 - bars, last + 1)
    return Scene(whole.ohlcv[rows], {name: vote[rows] for name, vote in whole.votes.items()})


def moved(case: Case, bars: int, *, cumulative: bool, lasts: np.ndarray) -> Mapping[str, np.ndarray]:
    """How far each column's last value moves, in units of what is allowed; 0 where both are NaN."""
    whole = case.market() if case.market else scene(HISTORY, seed=5)
    far = case.run(whole)
    found: dict[str, list[float]] = {name: [] for name in far}
    for last in lasts:
        near = case.run(ending(whole, int(last), bars + cumulative))
        for name, column in far.items():
            long, short = column[: last + 1].astype(float), near[name].astype(float)
            if cumulative:
                long, short = np.diff(long), np.diff(short)
            found[name].append(distance(long, short[-1]))
    return {name: np.array(each) for name, each in found.items()}


def distance(long: np.ndarray, short: float) -> float:
    if np.isnan(long[-1]) or np.isnan(short):
        return 0.0 if np.isnan(long[-1]) == np.isnan(short) else np.inf
    recent = long[-DEVIATION_BARS:]
    allowed = TOLERANCE * max(abs(long[-1]), np.std(recent[np.isfinite(recent)]))
    return 0.0 if long[-1] == short else float(np.divide(abs(long[-1] - short), allowed))


def ends(bars: int) -> np.ndarray:
    return np.random.default_rng(6).integers(bars + 1_000, HISTORY, MOMENTS)


@pytest.mark.parametrize("name", sorted(ROW_WISE))
def test_the_declared_warm_up_is_enough(name: str) -> None:
    entry = ROW_WISE[name]
    bars = warm_up(entry.function)
    case = row_wise_case(entry, bars, MARKETS.get(name))
    found = moved(case, bars, cumulative=entry.cumulative, lasts=ends(bars))
    worst = {column: each.max() for column, each in found.items()}
    assert max(worst.values()) <= 1, f"{bars} bars are not enough, moved by (1 is allowed): {worst}"


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_s_minimum_is_enough_where_it_fires(name: str) -> None:
    strategy, case = STRATEGIES[name], strategy_case(name)
    events = np.flatnonzero(case.run(scene(HISTORY, seed=5))["direction"])
    events = events[events > strategy.minimum_bars + 1_000][:MOMENTS]
    assert len(events) > 5
    found = moved(case, strategy.minimum_bars, cumulative=False, lasts=events)
    worst = {column: each.max() for column, each in found.items()}
    assert max(worst.values()) <= 1, f"{strategy.minimum_bars} bars are not enough: {worst}"
