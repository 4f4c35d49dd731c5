"""Loading history from an exchange."""

from collections.abc import Callable
from datetime import UTC, datetime

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.services.chunks import build_chunks
from signals.market.services.fetching import StoredPage, fetch_and_store


def backfill(
    *,
    instrument: Instrument,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    as_of: datetime,
    on_page: Callable[[StoredPage], None],
) -> int:
    """Store the closed candles that open in [start, end) and chunk their days; how many were new or corrected.

    Each page is committed and reported to `on_page`. History is not announced: nothing is to be decided on it.
    Raises ProviderError; running it again continues without harm.
    """
    forming = datetime.fromtimestamp(timeframe.floor(int(as_of.timestamp() * 1000)) / 1000, UTC)
    changed = 0
    for page in fetch_and_store(
        instrument=instrument, timeframe=timeframe, start=start, end=min(end, forming), as_of=as_of
    ):
        changed += len(page.stored)
        on_page(page)
    build_chunks(instrument=instrument, timeframe=timeframe, as_of=as_of)
    return changed
