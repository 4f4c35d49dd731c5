"""Candles from files into the database: a file is stored in one transaction or not at all."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from django.db import transaction

from signals.engine.quality import QualityAction, QualityIssue, QualityKind, inspect
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument
from signals.market.providers.candle_file import CandleFile, FileRefusedError, read_candle_file
from signals.market.services.candles import StoredCandles, store_candles
from signals.market.services.chunks import build_chunks
from signals.market.services.quality import record_issues

UTC = ZoneInfo("UTC")
NAMED_TIMEFRAME = re.compile(r"(?:^|[^a-z0-9])(\d+)(m|min|h|hr|d)(?:[^a-z0-9]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class ImportOptions:
    """What the user said; everything else is found out from the file or asked for."""

    exchange_code: str | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    price_scale: float | None = None
    timezone: ZoneInfo = UTC


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


def import_candles(*, path: Path, options: ImportOptions, as_of: datetime) -> ImportReport:
    """Import one file. Raises FileRefusedError, and then nothing of it was stored."""
    file = read_candle_file(
        path, symbol=options.symbol, price_scale=options.price_scale, timezone=options.timezone
    )
    timeframe = _timeframe(file, options)
    candles, issues = inspect(file.candles, timeframe, int(as_of.timestamp() * 1000))
    if not len(candles):
        raise FileRefusedError(path, f"no usable bar; the first: {_first_refusal(file, issues)}")
    with transaction.atomic():
        instrument = _instrument(file, options)
        stored = store_candles(instrument=instrument, timeframe=timeframe, candles=candles)
        record_issues(
            instrument=instrument,
            timeframe=timeframe,
            issues=_with_lines(file, [*issues, *_swapped(file)]),
            source=path.name[:100],
            first_seen_at=as_of,
        )
        build_chunks(instrument=instrument, timeframe=timeframe, as_of=as_of)
    return ImportReport(
        instrument,
        timeframe,
        stored,
        len(candles) - len(stored),
        _refusals(file, issues),
        Counter(i.kind.value for i in [*issues, *_swapped(file)] if i.action is QualityAction.FLAGGED),
        file.notes,
    )


def _timeframe(file: CandleFile, options: ImportOptions) -> Timeframe:
    """As said or named by the file; the distance of the bars must agree, and decides where nothing is said."""
    said = options.timeframe or _named_timeframe(file.path)
    steps = np.diff(np.sort(file.candles.open_time))
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    if not len(lengths):
        if said:
            return said
        raise FileRefusedError(file.path, "too few bars to see their length: give --timeframe, e.g. 1h")
    usual = int(lengths[np.argmax(counts)])
    if said and usual != said.milliseconds:
        message = f"said to be {said}, but most bars are {usual // 1000} s apart: give the right --timeframe"
        raise FileRefusedError(file.path, message)
    found = next((timeframe for timeframe in Timeframe if timeframe.milliseconds == usual), None)
    if found is None:
        known = ", ".join(Timeframe)
        raise FileRefusedError(file.path, f"most bars are {usual // 1000} s apart, which is none of {known}")
    return found


def _named_timeframe(path: Path) -> Timeframe | None:
    named = NAMED_TIMEFRAME.search(path.name.split(".")[0])
    name = f"{named[1]}{named[2][0].lower()}" if named else ""
    return Timeframe(name) if name in set(Timeframe) else None


def _instrument(file: CandleFile, options: ImportOptions) -> Instrument:
    """The instrument that was said or that the file names; a new one only where both options say which."""
    if options.exchange_code and options.symbol and "/" in options.symbol:
        instrument = _said_instrument(options.exchange_code, options.symbol.upper())
        _refuse_other_symbol(file, instrument)
        return instrument
    names = [options.symbol or file.symbol] if options.symbol or file.symbol else _words(file.path)
    wanted = {plain(name) for name in names if name}
    known = Instrument.objects.select_related("exchange")
    if options.exchange_code:
        known = known.filter(exchange__code=options.exchange_code)
    matches = [instrument for instrument in known if plain(instrument.symbol) in wanted]
    if len(matches) != 1:
        raise FileRefusedError(file.path, _which_instrument(matches, sorted(wanted)))
    _refuse_other_symbol(file, matches[0])
    return matches[0]


def _said_instrument(exchange_code: str, symbol: str) -> Instrument:
    exchange, _ = Exchange.objects.get_or_create(code=exchange_code, defaults={"name": exchange_code.title()})
    base, _, quote = symbol.partition("/")
    instrument, _ = Instrument.objects.get_or_create(
        exchange=exchange, symbol=symbol, defaults={"base": base, "quote": quote, "is_active": False}
    )
    return instrument


def _refuse_other_symbol(file: CandleFile, instrument: Instrument) -> None:
    names = {plain(name) for name in (instrument.symbol, *instrument.aliases)}
    if file.symbol and plain(file.symbol) not in names:
        raise FileRefusedError(
            file.path, f"its rows are of {file.symbol}, not of {instrument.symbol}: give the right --symbol"
        )


def _which_instrument(matches: list[Instrument], names: list[str]) -> str:
    if matches:
        codes = ", ".join(sorted(instrument.exchange.code for instrument in matches))
        return f"{matches[0].symbol} is known on {codes}: give --exchange"
    return (
        f"no instrument is named {' or '.join(names) or 'there'}: "
        "give --exchange and --symbol, e.g. --exchange gemini --symbol BTC/USD"
    )


def plain(name: str) -> str:
    """A symbol without its separators, in capitals: BTC/USDT, btc-usdt and BTCUSDT are the same."""
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _words(path: Path) -> list[str]:
    return re.split(r"[^A-Za-z0-9]+", path.name.split(".")[0])


def _swapped(file: CandleFile) -> list[QualityIssue]:
    detail = "the two volume columns were swapped; by their ratio to the price this is the right one"
    return [
        QualityIssue(QualityKind.SWAPPED_VOLUME, int(moment), QualityAction.FLAGGED, detail)
        for moment in file.candles.open_time[file.swapped]
    ]


def _with_lines(file: CandleFile, issues: list[QualityIssue]) -> list[QualityIssue]:
    lines = _lines(file)
    return [
        QualityIssue(issue.kind, issue.open_time, issue.action, f"{place}: {issue.detail}")
        if (place := lines.get(issue.open_time))
        else issue
        for issue in issues
    ]


def _refusals(file: CandleFile, issues: list[QualityIssue]) -> list[str]:
    refused = [issue for issue in _with_lines(file, issues) if issue.action is QualityAction.REFUSED]
    unreadable = [f"{file.path}: line {line}: {reason}" for line, reason in file.unreadable]
    return unreadable + [f"{file.path}: {_reason(issue)}" for issue in refused]


def _first_refusal(file: CandleFile, issues: list[QualityIssue]) -> str:
    return next(iter(_refusals(file, issues)), "it has none")


def _reason(issue: QualityIssue) -> str:
    place, _, detail = issue.detail.partition(": ")
    return f"{place}: {issue.kind.value.replace('_', ' ')} ({detail})"


def _lines(file: CandleFile) -> dict[int, str]:
    """`line 7`, or `lines 7, 9` for bars that came twice, by open time."""
    lines: dict[int, list[str]] = {}
    for moment, line in zip(file.candles.open_time.tolist(), file.lines.tolist(), strict=True):
        lines.setdefault(moment, []).append(str(line))
    return {
        moment: f"line{'s' if len(found) > 1 else ''} {', '.join(found)}" for moment, found in lines.items()
    }
