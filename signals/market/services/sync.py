"""Keeping an instrument's candles up to date."""

from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import transaction

from signals.engine.timeframe import Timeframe, resample
from signals.market.events import candles_closed
from signals.market.models import Instrument
from signals.market.providers import TimeframeMissingError
from signals.market.selectors import load_range, newest_open_time
from signals.market.services.candles import store_candles
from signals.market.services.fetching import fetch_and_store

HOURS = Timeframe.H1
BACKLOG_BARS = (
    1_000  # of an instrument that has none: two of the engine's windows, one page of most exchanges
)


def sync_candles(*, instrument: Instrument, timeframe: Timeframe, as_of: datetime) -> list[datetime]:
    """Fetch what closed since the newest stored candle and announce it; open times of new and corrected ones.

    The last two stored bars are read again, since exchanges correct a bar shortly after its close.
    Candles of a length that the exchange does not tell are made of its stored hours.
    Raises ProviderError when nobody answers; what is stored stays as it is.
    """
    bar = timedelta(seconds=timeframe.seconds)
    forming = datetime.fromtimestamp(timeframe.floor(int(as_of.timestamp() * 1000)) / 1000, UTC)
    newest = newest_open_time(instrument_id=instrument.pk, timeframe=timeframe)
    start = newest - bar if newest else forming - BACKLOG_BARS * bar
    try:
        pages = list(
            fetch_and_store(instrument=instrument, timeframe=timeframe, start=start, end=forming, as_of=as_of)
        )
        open_times = sorted({moment for page in pages for moment in page.stored.open_times()})
    except TimeframeMissingError:
        if timeframe.milliseconds <= HOURS.milliseconds:
            raise
        if newest is None:  # an hour's own backlog is too short for this
            list(
                fetch_and_store(instrument=instrument, timeframe=HOURS, start=start, end=forming, as_of=as_of)
            )
        open_times = _made_of_hours(instrument, timeframe, start, forming)
    if open_times:
        announcement = partial(
            candles_closed.send,
            sender=Instrument,
            instrument_id=instrument.pk,
            timeframe=timeframe,
            open_times=open_times,
            as_of=as_of,
        )
        transaction.on_commit(announcement)
    return open_times


def _made_of_hours(
    instrument: Instrument, timeframe: Timeframe, start: datetime, end: datetime
) -> list[datetime]:
    hours = load_range(instrument_id=instrument.pk, timeframe=HOURS, start=start, end=end)
    with transaction.atomic():
        stored = store_candles(
            instrument=instrument, timeframe=timeframe, candles=resample(hours, timeframe, HOURS)
        )
    return sorted(stored.open_times())
