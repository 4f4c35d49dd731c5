"""What a policy wants at each of the newest candles."""

from datetime import datetime

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.policy_features import SCHEMA
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import Instrument
from signals.models import TrainedModel
from signals.services.evaluation import load_windows
from signals.services.policy_votes import held_by, inputs, loaded

SHOWN = 240


def wanted_positions(
    *, model: TrainedModel, instrument: Instrument, as_of: datetime
) -> tuple[OHLCV, FloatArray] | None:
    """The last candles and the position after each close; None for too few candles or inputs that have changed."""
    windows = load_windows(instrument_id=instrument.pk, as_of=as_of)
    if model.feature_schema != SCHEMA or len(windows[BASE_TIMEFRAME]) < 2:
        return None
    try:
        bars, features = inputs(instrument, windows, as_of)
    except ValueError:
        return None
    held = held_by(loaded(model), bars, features, instrument)[1]
    return bars[-SHOWN:], held[-SHOWN:]
