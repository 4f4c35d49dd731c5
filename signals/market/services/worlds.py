"""Simulated prices and real ones never share a database: they would be decided upon together, under one name."""

from django.db import transaction
from django.db.models import Exists, OuterRef, ProtectedError

from signals.market.models import Candle, CandleChunk, DataQualityIssue, Exchange, Instrument

WAY_OUT = "give them a database of their own (COPILOT_STATE_DIR or DATABASE_URL) and SANDBOX=false"


def exchange_with_candles(*, is_simulated: bool) -> Exchange | None:
    """One whose candles are stored here, of the world that was asked for."""
    stored = Candle.objects.filter(instrument_id=OuterRef("instruments__pk"))
    return Exchange.objects.filter(Exists(stored), is_simulated=is_simulated).order_by("code").first()


def reason_against_real_candles(exchange: Exchange) -> str | None:
    """Why real candles of this exchange may not be stored here, in words; None where they may."""
    if exchange.is_simulated:
        return (
            f"{exchange.code} is the sandbox's here, and its prices are simulated: real candles would be told under "
            f"its name; {WAY_OUT}"
        )
    simulated = exchange_with_candles(is_simulated=True)
    if simulated:
        return (
            f"this is a sandbox's database, with simulated candles of {simulated.code}, and these are real ones of "
            f"{exchange.code}: {WAY_OUT}"
        )
    return None


class MarketInUseError(Exception):
    """More than candles stands on a market's instruments; the message says what."""


def remove_market(*, is_simulated: bool) -> list[str]:
    """Remove that world's exchanges, instruments and candles; what was removed, in words.

    Raises MarketInUseError, and removes nothing, when signals, evaluations or anything else stands on them.
    """
    with transaction.atomic():
        exchanges = Exchange.objects.filter(is_simulated=is_simulated).order_by("code")
        instruments = Instrument.objects.filter(exchange__in=exchanges)
        removed = [_remove_candles(instrument) for instrument in instruments.select_related("exchange")]
        try:
            _, counts = instruments.delete()
        except ProtectedError as error:
            raise MarketInUseError(_used_by({row._meta.label for row in error.protected_objects})) from error  # noqa: SLF001
        if others := set(counts) - {Instrument._meta.label}:  # noqa: SLF001
            raise MarketInUseError(_used_by(others))
        names = [*removed, *(f"exchange {exchange.code}" for exchange in exchanges)]
        exchanges.delete()
    return names


def _remove_candles(instrument: Instrument) -> str:
    CandleChunk.objects.filter(instrument=instrument).delete()
    DataQualityIssue.objects.filter(instrument=instrument).delete()
    count, _ = Candle.objects.filter(instrument=instrument).delete()
    return f"{instrument.exchange.code} {instrument.symbol} with {count} candles"


def _used_by(labels: set[str]) -> str:
    names = ", ".join(sorted(label.partition(".")[2] for label in labels))
    return f"there are rows that stand on its instruments ({names}): it was worked with, so keep it"
