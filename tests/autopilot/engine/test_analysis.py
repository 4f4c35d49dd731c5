"""The market at one close: the regime is the engine's, and shorts are nobody's where they cannot be sold."""

import numpy as np
import pytest

from autopilot.engine.analysis import analyse
from signals.engine.features import MARKET_FEATURES, market_features
from signals.engine.regime import REGIMES, current_regime
from signals.engine.strategy import DecisionContext, WindowError
from signals.engine.trend import STRATEGY, breakouts, decide
from tests.autopilot.market_rows import END, walk


def context() -> DecisionContext:
    return DecisionContext(as_of=END, memo={})


@pytest.mark.parametrize("seed", range(6))
def test_regime_and_conditions_are_those_of_the_last_bar(seed: int) -> None:
    window = walk(seed, 500)
    found = analyse(window, context(), can_short=True)
    assert found.regime == current_regime(window)
    row = market_features(window)[-1]
    known = {name: value for name, value in zip(MARKET_FEATURES, row, strict=True) if np.isfinite(value)}
    assert found.conditions == {name: round(value, 6) for name, value in known.items() if name != "regime"}
    assert found.place == (-1 if found.regime is None else REGIMES.index(found.regime))


def test_who_speaks_has_an_event_at_the_last_bar_and_no_short_is_proposed_on_spot() -> None:
    candles = walk(3, 700)
    shorts = 0
    for row in range(520, 700, 10):
        window = candles[row - 499 : row + 1]
        both, longs = (analyse(window, context(), can_short=each) for each in (True, False))
        spoken = {name: int(both.series[name].direction[-1]) for name in both.speaking}
        assert 0 not in spoken.values()
        assert longs.speaking == tuple(name for name, side in spoken.items() if side > 0)
        shorts += sum(side < 0 for side in spoken.values())
    assert shorts


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(WindowError):
        analyse(walk(3, 10), context(), can_short=True)


def test_the_trend_rule_speaks_as_its_strategy_and_is_left_by_its_managed_plan() -> None:
    candles = walk(3, 1_200)
    row = int(next(each for each in breakouts(candles).rows if each > 600))
    window = candles[row - 499 : row + 1]
    found = analyse(window, context(), can_short=False, with_trend_rule=True)
    assert STRATEGY in found.speaking
    told = found.signal(STRATEGY)
    assert told == decide(window)
    assert told is not None
    assert told.exit_plan.is_managed
    plain = analyse(window, context(), can_short=False)
    assert plain.ruled is None
    if (said := plain.signal(STRATEGY)) is not None:
        assert not said.exit_plan.is_managed
    quiet = int(next(each for each in range(700, 1_000) if not breakouts(candles).direction[each]))
    silent = analyse(candles[quiet - 499 : quiet + 1], context(), can_short=False, with_trend_rule=True)
    assert silent.ruled is None
