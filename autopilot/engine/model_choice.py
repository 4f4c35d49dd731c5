"""What a selector would have chosen at every close of a history, as signals for the simulator."""

from dataclasses import dataclass

import numpy as np

from autopilot.engine.confidence import best_of_group
from autopilot.engine.market import Signals
from autopilot.engine.selector import SelectorModel
from signals.engine.candle import OHLCV
from signals.engine.features import market_features
from signals.engine.horizon import HORIZON_BARS
from signals.engine.hybrid import opinions
from signals.engine.regime import UNKNOWN, regimes
from signals.engine.strategy import DecisionContext, Parameters, parameter


@dataclass(frozen=True, slots=True)
class ModelParameters(Parameters):
    """threshold: P(profit after costs) from which on a choice is traded; at 0 also one of which none is known."""

    threshold: float = parameter(0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class ModelDecider:
    """A selector and from which probability on it is followed."""

    model: SelectorModel
    parameters: ModelParameters = ModelParameters()


def model_signals(
    decider: ModelDecider, candles: OHLCV, context: DecisionContext, *, can_short: bool
) -> Signals:
    """At each close the group that the model ranks first and, of its strategies that speak at that bar, the one with
    the best record of the training; its stop and target. A row knows nothing of the rows after it."""
    series = opinions(candles, context)
    fired = np.column_stack([np.where(each.judges(), each.direction, 0) for each in series.values()])
    fired = (fired if can_short else np.maximum(fired, 0)).astype(np.int8)
    regime = regimes(candles)
    direction = np.zeros(len(candles), dtype=np.int8)
    stop, target = np.full(len(candles), np.nan), np.full(len(candles), np.nan)
    rows = np.flatnonzero((regime != UNKNOWN) & (fired != 0).any(axis=1))
    if len(rows):
        model = decider.model
        told = np.asarray(model.booster.predict(market_features(candles)[rows], num_threads=1))
        group = told.argmax(axis=1)
        best = best_of_group(fired[rows], regime[rows], group, model.records)
        product = np.full(len(rows), np.nan)
        within = model.records.confidence()
        for place, each in enumerate(model.confidences):
            asked = np.flatnonzero((best >= 0) & (group == place))
            product[asked] = each.products(told[asked, place], within[best[asked], regime[rows[asked]]])
        threshold = decider.parameters.threshold
        followed = np.flatnonzero((best >= 0) & ((product >= threshold) | (threshold == 0)))
        for number, strategy in enumerate(series.values()):
            of_it = rows[followed[best[followed] == number]]
            direction[of_it] = fired[of_it, number]
            stop[of_it], target[of_it] = strategy.stop_loss[of_it], strategy.take_profit[of_it]
    return Signals(direction, stop, target, hold_bars=HORIZON_BARS)
