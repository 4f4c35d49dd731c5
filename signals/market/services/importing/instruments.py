"""Whose candles a file holds."""

import re
from pathlib import Path

from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument
from signals.market.providers.candle_file import FileRefusedError

LONGEST_SYMBOL, LONGEST_CURRENCY = 32, 16


def instrument_of(
    path: Path, *, own_symbol: str | None, exchange_code: str | None, symbol: str | None
) -> Instrument:
    """The instrument that was said or that the file names; a new one only where both options say which.

    Raises FileRefusedError.
    """
    if exchange_code and symbol and "/" in symbol:
        instrument = _said(path, exchange_code, symbol.upper())
        _refuse_other_symbol(path, own_symbol, instrument)
        return instrument
    told = symbol or own_symbol
    wanted = {plain(name) for name in ([told] if told else _words(path.name))} - {""}
    is_perpetual = not symbol and "PERP" in _words((own_symbol or path.name).upper())
    known = Instrument.objects.select_related("exchange")
    if exchange_code:
        known = known.filter(exchange__code=exchange_code)
    matches = [
        instrument
        for instrument in known
        if wanted & _names(instrument) and (":" in instrument.symbol or not is_perpetual)
    ]
    if len(matches) != 1:
        raise FileRefusedError(path, _which_instrument(matches, sorted(wanted)))
    _refuse_other_symbol(path, own_symbol, matches[0])
    return matches[0]


def _said(path: Path, exchange_code: str, symbol: str) -> Instrument:
    """ccxt's symbols: BTC/USDT, and with the currency of settlement behind a colon BTC/USD:BTC."""
    base, _, rest = symbol.partition("/")
    quote = rest.partition(":")[0]
    if not (base and quote) or len(symbol) > LONGEST_SYMBOL or max(len(base), len(quote)) > LONGEST_CURRENCY:
        raise FileRefusedError(path, f"{symbol!r} is no symbol such as BTC/USDT or BTC/USD:BTC")
    exchange, _ = Exchange.objects.get_or_create(code=exchange_code, defaults={"name": exchange_code.title()})
    instrument, _ = Instrument.objects.get_or_create(
        exchange=exchange, symbol=symbol, defaults={"base": base, "quote": quote, "is_active": False}
    )
    return instrument


def _refuse_other_symbol(path: Path, own_symbol: str | None, instrument: Instrument) -> None:
    known = _names(instrument) | {plain(name) for name in (instrument.base, *instrument.aliases)}
    if own_symbol and plain(own_symbol) not in known:
        raise FileRefusedError(
            path, f"its rows are of {own_symbol}, not of {instrument.symbol}: give the right --symbol"
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
    """A symbol without its separators, in capitals: BTC/USDT, btc-usdt, XBTUSDT and BTCUSDT are the same."""
    return re.sub(r"^XBT", "BTC", re.sub(r"[^A-Z0-9]", "", name.upper()))


def _names(instrument: Instrument) -> set[str]:
    """How its symbol may be written; a future's without its currency of settlement, or as a perpetual."""
    pair, _, settlement = instrument.symbol.partition(":")
    written = {plain(instrument.symbol), plain(pair)}
    return written | {f"{plain(pair)}PERP"} if settlement else written


def _words(name: str) -> list[str]:
    """A file's name in words, but for the one that names the length of its bars."""
    lengths = {timeframe.value for timeframe in Timeframe}
    words = re.split(r"[^A-Za-z0-9]+", name.split(".", maxsplit=1)[0])
    return [word for word in words if word.lower() not in lengths]
