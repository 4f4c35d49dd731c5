"""History of several instruments, one after the other, each step told in a line."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.providers import ProviderError
from signals.market.services.backfill import backfill, begins_late
from signals.market.services.clock import exchange_time
from signals.market.services.fetching import StoredPage
from signals.market.services.progress import Progress

SHARES = 1_000  # of one instrument's progress


class BackfillIncompleteError(Exception):
    """Some instruments' history could not be loaded; the message says whose and why."""


def backfill_all(
    *,
    instruments: Sequence[Instrument],
    timeframe: Timeframe,
    start: datetime,
    end: datetime | None,
    progress: Progress,
) -> dict[str, int]:
    """Backfill each up to `end` or its exchange's now; new or corrected candles by symbol.

    One whose exchange fails does not stop the others; BackfillIncompleteError at the end names it.
    """
    changed, failures = {}, []
    for number, instrument in enumerate(instruments):
        tell = _share_of(progress, number, len(instruments))
        try:
            changed[instrument.symbol] = _backfill_one(instrument, timeframe, start, end, tell)
        except (ProviderError, BackfillIncompleteError) as error:
            failures.append(f"{instrument.symbol} {timeframe}: {error}")
    if failures:
        lines = [f"{len(failures)} of {len(instruments)} not complete; run it again to continue.", *failures]
        raise BackfillIncompleteError("\n".join(lines))
    return changed


def _backfill_one(
    instrument: Instrument, timeframe: Timeframe, start: datetime, end: datetime | None, tell: Progress
) -> int:
    name, pages = f"{instrument.symbol} {timeframe}", list[StoredPage]()
    as_of = exchange_time(exchange_code=instrument.exchange.code)
    if start >= as_of:
        raise BackfillIncompleteError(
            f"--from {start:%Y-%m-%d %H:%M} is not before now, {as_of:%Y-%m-%d %H:%M}"
        )

    def show(done: int, total: int, message: str) -> None:
        tell(done, total, _line(name, pages[-1], done / total, message))

    changed = backfill(
        instrument=instrument,
        timeframe=timeframe,
        start=start,
        end=min(end or as_of, as_of),
        as_of=as_of,
        on_page=pages.append,
        progress=show,
    )
    tell(1, 1, f"{name}: {changed} candles new or corrected{_first_bar(pages, start, timeframe)}")
    return changed


def _share_of(progress: Progress, number: int, count: int) -> Callable[[int, int, str], None]:
    """Progress of one of several as progress of the whole."""

    def tell(done: int, total: int, message: str) -> None:
        progress(number * SHARES + done * SHARES // max(total, 1), count * SHARES, message)

    return tell


def _line(name: str, page: StoredPage, share: float, message: str) -> str:
    """The share is of what there is: of a history that begins later than asked for, nothing is called complete."""
    reached = page.newest_open_time
    progress = message or f"{min(share, 1):4.0%}"
    return (
        f"{name} {progress} up to {reached:%Y-%m-%d %H:%M}: {len(page.stored.inserted)} new, "
        f"{len(page.stored.corrected)} corrected, {page.refused} refused, from {page.source}"
    )


def _first_bar(pages: list[StoredPage], start: datetime, timeframe: Timeframe) -> str:
    oldest = next((page.oldest_open_time for page in pages if page.oldest_open_time), None)
    if oldest is None:
        return "; the exchange has none in this span"
    late = begins_late(oldest=oldest, start=start, bar=timedelta(seconds=timeframe.seconds))
    if not late:
        return ""
    return f"; {late}: {pages[0].source} gave none older, though {start:%Y-%m-%d %H:%M} was asked for"
