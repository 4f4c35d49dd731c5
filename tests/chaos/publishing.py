"""Signals as the worker publishes them: by the product's own `publish`, with ledger, fan-out and picture."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction

from signals.engine.strategy import Direction, StrategySignal
from signals.engine.timeframe import Timeframe
from signals.events import outcomes_recorded
from signals.market.models import Candle, Instrument
from signals.market.services.candles import store_candles
from signals.models import Signal, SignalOutcome, SignalSource
from signals.services.publishing import publish
from tests.factories import make_instrument, make_series
from tests.notifications.rows import make_outcome

INSTRUMENTS = 10
BARS = 600
HOUR = timedelta(hours=1)
# Every fifth signal gets its outcome, ten signals later: by then it has arrived with most, and not with all.
FOLLOWED = 5
OUTCOME_AFTER = 10
DECISION = StrategySignal("rsi", Direction.LONG, 0.8, 100.0, 95.0, 110.0, ("RSI left oversold",))


def make_market() -> None:
    """Instruments that the worker leaves alone, with candles for the pictures of their signals."""
    newest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    for seed in range(INSTRUMENTS):
        candles = make_series(bars=BARS, start=newest - (BARS - 1) * HOUR, seed=seed)
        instrument = make_instrument(is_active=False)
        store_candles(instrument=instrument, timeframe=Timeframe.H1, candles=candles)


def released_file() -> Path:
    return Path(settings.STATE_DIR) / "released"


def publish_released() -> None:
    """Never returns. What stands already is found standing."""
    instruments = list(Instrument.objects.filter(is_active=False).select_related("exchange").order_by("pk"))
    newest = Candle.objects.filter(instrument=instruments[0]).latest("open_time").open_time
    number = 0
    while True:
        while number < int(released_file().read_text()):
            hours, which = divmod(number, INSTRUMENTS)
            publish(
                instrument=instruments[which],
                decision=DECISION,
                timeframe=Timeframe.H1,
                candle_open_time=newest - hours * HOUR,
                source=SignalSource.HYBRID,
            )
            number += 1
            if number > OUTCOME_AFTER and number % FOLLOWED == 0:
                _tell_outcome(number - OUTCOME_AFTER)
        time.sleep(0.02)


def _tell_outcome(number: int) -> None:
    signal = Signal.objects.order_by("ledger_entry_id")[number - 1]
    if SignalOutcome.objects.filter(signal=signal).exists():
        return
    with transaction.atomic():
        outcome = make_outcome(signal=signal)
        outcomes_recorded.send(sender=SignalOutcome, signal_ids=[outcome.signal_id])
