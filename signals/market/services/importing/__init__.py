"""Candles from files into the database: a file is stored in one transaction or not at all."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.db import transaction

from signals.engine.quality import inspect
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.providers.candle_file import (
    FORMATS,
    DateOrder,
    Decimal,
    FileRefusedError,
    Reading,
    load_table,
    read_table,
)
from signals.market.services.candles import StoredCandles, store_candles
from signals.market.services.chunks import build_chunks
from signals.market.services.importing import guards
from signals.market.services.importing.findings import Findings
from signals.market.services.importing.instruments import instrument_of
from signals.market.services.locks import lock_candles
from signals.market.services.progress import Progress, unheard
from signals.market.services.quality import record_issues
from signals.market.services.worlds import reason_against_real_candles

STEPS = 3


@dataclass(frozen=True)
class ImportOptions:
    """What the user said; everything else is found out from the file or asked for.

    `closes`: the file's times are those of closes. `force`: store it even where it changes many stored candles.
    """

    exchange_code: str | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    price_scale: float | None = None
    timezone: ZoneInfo | None = None
    format: str | None = None
    decimal: Decimal | None = None
    date_order: DateOrder | None = None
    closes: bool = False
    force: bool = False

    def reading(self) -> Reading:
        return Reading(
            format=FORMATS[self.format] if self.format else None,
            timeframe=self.timeframe,
            price_scale=self.price_scale,
            timezone=self.timezone,
            decimal=self.decimal,
            date_order=self.date_order,
            closes=self.closes,
        )


@dataclass(frozen=True)
class ImportReport:
    """`refusals` are lines `file:line: reason`; `flagged` counts bars that were kept, by kind."""

    instrument: Instrument
    timeframe: Timeframe
    stored: StoredCandles
    unchanged: int
    refusals: list[str]
    flagged: Counter[str]
    notes: list[str]


def import_candles(
    *, path: Path, options: ImportOptions, as_of: datetime, progress: Progress = unheard
) -> ImportReport:
    """Import one file. Raises FileRefusedError, and then nothing of it was stored."""
    said = options.reading()
    progress(0, STEPS, f"reading {path.name}")
    table = load_table(path, said)
    with transaction.atomic():
        instrument = instrument_of(
            path, own_symbol=table.symbol, exchange_code=options.exchange_code, symbol=options.symbol
        )
        if reason := reason_against_real_candles(instrument.exchange):
            raise FileRefusedError(path, reason)
        file = read_table(table, symbol=instrument.symbol, said=said)
        del table  # a column twice is a column too much
        candles, issues = inspect(file.candles, file.timeframe, int(as_of.timestamp() * 1000))
        findings = Findings.of(file, issues)
        if not len(candles):
            raise FileRefusedError(path, f"no usable bar; the first: {findings.first_refusal()}")
        progress(1, STEPS, f"{path.name}: {len(candles)} candles")
        lock_candles(instrument=instrument, timeframe=file.timeframe)
        if not options.force and (reason := guards.many_would_change(instrument, file.timeframe, candles)):
            raise FileRefusedError(path, reason)
        stored = store_candles(instrument=instrument, timeframe=file.timeframe, candles=candles)
        progress(2, STEPS, f"{path.name}: stored")
        record_issues(
            instrument=instrument,
            timeframe=file.timeframe,
            issues=findings.to_record(),
            source=path.name[:100],
            first_seen_at=as_of,
        )
        build_chunks(instrument=instrument, timeframe=file.timeframe, as_of=as_of)
    progress(STEPS, STEPS, f"{path.name}: {len(stored)} candles new or corrected")
    return ImportReport(
        instrument,
        file.timeframe,
        stored,
        len(candles) - len(stored),
        findings.refusals(),
        findings.flagged(),
        file.notes,
    )
