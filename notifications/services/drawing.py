"""From a signal's row to its picture. Imports matplotlib: only a worker's task may import this."""

from datetime import UTC, datetime, timedelta

from notifications.charts.picture import Chart, draw
from notifications.services.message.prices import level_labels
from signals.engine.candle import OHLCV
from signals.engine.direction import Direction
from signals.engine.hybrid import timeframe_of
from signals.engine.timeframe import WINDOW_BARS, Timeframe
from signals.market.selectors import load_window
from signals.models import Signal


def draw_signal(*, signal: Signal) -> bytes:
    """A PNG; ValueError when no candles of the signal are stored."""
    timeframe = Timeframe(signal.timeframe)
    closed_at = signal.candle_open_time + timedelta(seconds=timeframe.seconds)
    deciding = (timeframe_of(signal.reasons[0]) if signal.reasons else None) or timeframe
    exchange = signal.instrument.exchange
    return draw(
        Chart(
            symbol=signal.instrument.symbol,
            exchange=exchange.name,
            timeframe=timeframe,
            direction=Direction(signal.direction),
            entry=signal.entry_price,
            stop=signal.stop_loss,
            target=signal.take_profit,
            labels=level_labels(signal, signal.instrument.tick_size),
            decided_at=closed_at.astimezone(UTC),
            is_simulated=exchange.is_simulated,
            strategy=signal.strategy,
            candles=_window(signal, timeframe, closed_at),
            deciding=_window(signal, deciding, closed_at),
            deciding_timeframe=deciding,
        )
    )


def _window(signal: Signal, timeframe: Timeframe, as_of: datetime) -> OHLCV:
    """As many bars as a decision sees: the indicators have settled long before those that are shown."""
    return load_window(instrument_id=signal.instrument_id, timeframe=timeframe, bars=WINDOW_BARS, as_of=as_of)
