"""The five groups of strategies in the order of the model's classes, and what rules choose without a model."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from signals.engine.hybrid import SUITED
from signals.engine.regime import REGIMES, Regime
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import StrategyGroup

GROUP_ORDER = tuple(StrategyGroup)
MEMBERS: Mapping[StrategyGroup, tuple[str, ...]] = MappingProxyType(
    {group: tuple(name for name, each in STRATEGIES.items() if each.group is group) for group in GROUP_ORDER}
)
NO_REGIME_GROUP = StrategyGroup.TREND_FOLLOWING
# The seed documents' table of market conditions.
RULES: Mapping[Regime, StrategyGroup] = MappingProxyType(
    {
        Regime.TRENDING_UP: StrategyGroup.TREND_FOLLOWING,
        Regime.TRENDING_DOWN: StrategyGroup.TREND_FOLLOWING,
        Regime.RANGING: StrategyGroup.MEAN_REVERSION,
        Regime.VOLATILE: StrategyGroup.MOMENTUM,
        Regime.BREAKOUT: StrategyGroup.MOMENTUM,
        Regime.QUIET: StrategyGroup.MARKET_MAKING,
    }
)
_RULE_OF_PLACE = np.array(
    [*(GROUP_ORDER.index(RULES[regime]) for regime in REGIMES), GROUP_ORDER.index(NO_REGIME_GROUP)],
    dtype=np.int64,
)


def in_words(name: str) -> str:
    """A group, strategy or regime as a sentence names it."""
    return name.replace("_", " ")


def rule_groups(regime: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Of each place in REGIMES (-1 for unknown) the place in GROUP_ORDER of the group that rules choose."""
    chosen: npt.NDArray[np.int64] = _RULE_OF_PLACE[regime]
    return chosen


def rule_order(place: int) -> list[StrategyGroup]:
    """The regime's own group first, then the others that are made for it; where it is not known only the first."""
    own = GROUP_ORDER[int(rule_groups(np.array([place], dtype=np.int8))[0])]
    if place < 0:
        return [own]
    return [own, *(group for group in GROUP_ORDER if group is not own and REGIMES[place] in SUITED[group])]
