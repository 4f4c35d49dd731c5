"""Loading history from an exchange."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.services.chunks import build_chunks
from signals.market.services.fetching import StoredPage, fetch_and_store
from signals.market.services.progress import Progress, unheard


def backfill(
    *,
    instrument: Instrument,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    as_of: datetime,
    on_page: Callable[[StoredPage], None] | None = None,
    progress: Progress = unheard,
) -> int:
    """Store the closed candles that open in [start, end) and chunk their days; how many were new or corrected.

    Each page is committed and reported to `on_page`, and to `progress` as bars of the span that is there: the
    source may have none as old as asked for. History is not announced: nothing is to be decided on it.
    Raises ProviderError; running it again continues without harm.
    """
    bar = timedelta(seconds=timeframe.seconds)
    forming = datetime.fromtimestamp(timeframe.floor(int(as_of.timestamp() * 1000)) / 1000, UTC)
    changed, oldest = 0, None
    for page in fetch_and_store(
        instrument=instrument, timeframe=timeframe, start=start, end=min(end, forming), as_of=as_of
    ):
        changed += len(page.stored)
        oldest = oldest or page.oldest_open_time
        if on_page:
            on_page(page)
        if oldest and page.newest_open_time:
            done, total = (page.newest_open_time + bar - oldest) // bar, (min(end, forming) - oldest) // bar
            progress(done, max(done, total), begins_late(oldest=oldest, start=start, bar=bar))
    build_chunks(instrument=instrument, timeframe=timeframe, as_of=as_of)
    return changed


def begins_late(*, oldest: datetime, start: datetime, bar: timedelta) -> str:
    """`history starts at ...` where the first bar is not the first that was asked for, else empty."""
    return f"history starts at {oldest:%Y-%m-%d %H:%M}" if oldest - start >= bar else ""
