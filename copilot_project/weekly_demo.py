"""The demo's fourth autopilot: hourly candles, with the threshold that would have fired nearest to once a week."""

from datetime import datetime

from autopilot.engine.cycle import Mode
from autopilot.models import Account, Instance
from autopilot.services.firing import firing_of
from autopilot.services.instances import start_instance
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument

WEEKLY_SYMBOL, WEEKLY_LABEL = "BNB/USDT", "Demo: 1h, the threshold nearest to one signal a week"


def start_weekly_autopilot(*, account: Account, by: str, now: datetime) -> Instance | None:
    """None as long as too few candles are stored to know that threshold."""
    instrument = Instrument.objects.get(symbol=WEEKLY_SYMBOL, exchange__is_simulated=True)
    known = firing_of(instrument=instrument, timeframe=Timeframe.H1, mode=Mode.PATTERN, as_of=now)
    if known is None or known.weekly is None:
        return None
    return start_instance(
        instrument=instrument,
        timeframe=Timeframe.H1,
        mode=Mode.PATTERN,
        min_confidence_threshold=known.weekly,
        auto_execute=True,
        confirmed=True,
        account=account,
        experimental=True,
        label=WEEKLY_LABEL,
        by=by,
        now=now,
    )[0]
