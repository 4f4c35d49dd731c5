"""What a model would have chosen at every close is what it chooses one close at a time."""

from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np

from autopilot.engine.analysis import analyse
from autopilot.engine.model_choice import ModelDecider, ModelParameters, model_signals
from autopilot.engine.selector import SelectorModel, feature_schema
from signals.engine.strategy import DecisionContext
from tests.autopilot.selector_rows import noise
from tests.factories import make_series

START = datetime(2026, 3, 2, tzinfo=UTC)


def test_the_whole_history_at_once_and_close_by_close_choose_the_same() -> None:
    _, fitted, metrics = noise()
    model = SelectorModel(fitted.model_text, feature_schema("1h"), MappingProxyType(metrics))
    candles = make_series(bars=700, start=START, seed=8)
    context = DecisionContext(as_of=datetime.fromtimestamp(candles.open_time[-1] / 1000 + 3600, UTC))
    told = model_signals(ModelDecider(model), candles, context, can_short=True)
    rows = np.flatnonzero(told.direction[500:])[:6] + 500
    assert len(rows) == 6
    for row in (*rows, *(rows + 1)):
        window = candles[: row + 1]
        at = DecisionContext(as_of=datetime.fromtimestamp(window.open_time[-1] / 1000 + 3600, UTC))
        seen = analyse(window, at, can_short=True)
        choice = model.choose(seen.row, seen.place, seen.speaking)
        assert (told.direction[row] != 0) == (choice.strategy is not None)
    strict = model_signals(ModelDecider(model, ModelParameters(1.0)), candles, context, can_short=True)
    assert not strict.direction.any()
    long_only = model_signals(ModelDecider(model), candles, context, can_short=False)
    assert long_only.direction.min() == 0
