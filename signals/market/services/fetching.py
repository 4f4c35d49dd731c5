"""Candles from an exchange into the database, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import transaction

from signals.engine.candle import OHLCV
from signals.engine.moment import instant, milliseconds
from signals.engine.quality import QualityAction, QualityIssue, QualityKind, RawCandles, inspect
from signals.engine.timeframe import Timeframe
from signals.market.models import COLUMNS, Instrument
from signals.market.selectors import load_range, newest_open_time
from signals.market.services.candles import StoredCandles, store_candles
from signals.market.services.failover import ask
from signals.market.services.quality import record_issues

PAGE_BARS = 1_000


@dataclass(frozen=True)
class StoredPage:
    """What one page came to: its oldest and newest usable bars, what was stored, what refused, who gave it."""

    oldest_open_time: datetime | None
    newest_open_time: datetime | None
    stored: StoredCandles
    refused: int
    source: str


def fetch_and_store(
    *, instrument: Instrument, timeframe: Timeframe, start: datetime, end: datetime, as_of: datetime
) -> Iterator[StoredPage]:
    """Pages of bars that open in [start, end), each inspected and committed before the next is asked for.

    Pages overlap by one bar, so that a gap between two of them is seen. Raises ProviderError; what was
    stored until then stays, and asking again from the start does no harm.
    """
    for raw, source in _pages(instrument, timeframe, start, end, as_of):
        with transaction.atomic():
            page = _store_page(instrument, timeframe, raw, source=source, as_of=as_of)
        yield page


def _pages(
    instrument: Instrument, timeframe: Timeframe, start: datetime, end: datetime, as_of: datetime
) -> Iterator[tuple[RawCandles, str]]:
    since, end_ms = milliseconds(start), milliseconds(end)
    # Every exchange tells the forming bar, and its clock runs on while we ask: neither bar is a fault.
    forming_ms = timeframe.floor(milliseconds(as_of)) + timeframe.milliseconds
    while since < end_ms:
        raw, source = ask(
            exchange_code=instrument.exchange.code,
            call=lambda provider, since=since: provider.fetch_candles(  # type: ignore[misc]
                symbol=instrument.symbol, timeframe=timeframe, since_ms=since, limit=PAGE_BARS
            ),
        )
        wanted = raw.take((raw.open_time < end_ms) | (raw.open_time > forming_ms))
        if len(wanted):
            yield wanted, source
        newest = int(raw.open_time[raw.open_time < end_ms].max(initial=since))
        if newest >= end_ms - timeframe.milliseconds:
            return
        # Some exchanges answer a span without trades with an empty page: only a step over it leads on.
        since = newest if newest > since else since + PAGE_BARS * timeframe.milliseconds


def _store_page(
    instrument: Instrument, timeframe: Timeframe, raw: RawCandles, *, source: str, as_of: datetime
) -> StoredPage:
    candles, issues = inspect(raw, timeframe, milliseconds(as_of))
    if len(candles):
        issues += _gap_before(instrument, timeframe, int(candles.open_time[0]))
    if source != instrument.exchange.code:
        candles = _unknown(instrument, timeframe, candles)
        issues += [_from_stand_in(int(opened), instrument, source) for opened in candles.open_time]
    stored = store_candles(instrument=instrument, timeframe=timeframe, candles=candles)
    record_issues(
        instrument=instrument, timeframe=timeframe, issues=issues, source=source, first_seen_at=as_of
    )
    refused = sum(issue.action is QualityAction.REFUSED for issue in issues)
    oldest, newest = (instant(int(candles.open_time[row])) if len(candles) else None for row in (0, -1))
    return StoredPage(oldest, newest, stored, refused, source)


def _gap_before(instrument: Instrument, timeframe: Timeframe, opened: int) -> Iterator[QualityIssue]:
    """The hole between what is stored and a page that begins later: some exchanges give the newest bars only."""
    before = newest_open_time(instrument_id=instrument.pk, timeframe=timeframe, before=instant(opened))
    if before is None:
        return
    first_missing = timeframe.close_time(milliseconds(before))
    missing = (opened - first_missing) // timeframe.milliseconds
    if missing > 0:
        bars = "1 bar is" if missing == 1 else f"{missing} bars are"
        detail = f"{bars} missing before {instant(opened):%Y-%m-%d %H:%M}: the source gave none"
        yield QualityIssue(QualityKind.GAP, first_missing, QualityAction.FLAGGED, detail)


def _unknown(instrument: Instrument, timeframe: Timeframe, candles: OHLCV) -> OHLCV:
    """Those not stored yet: a stand-in's prices never replace the exchange's own."""
    if len(candles) == 0:
        return candles
    first, last = instant(int(candles.open_time[0])), instant(int(candles.open_time[-1]) + 1)
    known = load_range(instrument_id=instrument.pk, timeframe=timeframe, start=first, end=last)
    wanted = np.isin(candles.open_time, known.open_time, invert=True)
    return OHLCV(*(getattr(candles, name)[wanted] for name in COLUMNS))


def _from_stand_in(open_time: int, instrument: Instrument, source: str) -> QualityIssue:
    detail = f"{instrument.exchange.code} did not answer; the numbers are those of {source}"
    return QualityIssue(QualityKind.FALLBACK_SOURCE, open_time, QualityAction.FLAGGED, detail)
