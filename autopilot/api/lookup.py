"""Which instrument is meant: by symbol or alias, on one exchange."""

from rest_framework.exceptions import ValidationError

from signals.market.models import Exchange, Instrument


def instrument_named(symbol: str, exchange_id: int | None, *, active: bool = False) -> Instrument:
    """ValidationError names the field that is wrong. active: candles of it must be fetched."""
    if exchange_id is not None and not Exchange.objects.filter(pk=exchange_id).exists():
        raise ValidationError({"exchange_id": f"There is no exchange {exchange_id}."})
    named = Instrument.objects.named(symbol).select_related("exchange").order_by("pk")
    found = list(named if exchange_id is None else named.filter(exchange_id=exchange_id))
    if not found:
        where = "" if exchange_id is None else f" on exchange {exchange_id}"
        raise ValidationError({"symbol": f"No instrument{where} is called {symbol}."})
    if len({instrument.exchange_id for instrument in found}) > 1:
        ids = ", ".join(str(instrument.exchange_id) for instrument in found)
        raise ValidationError({"exchange_id": f"Several exchanges have {symbol}: name one of {ids}."})
    # A symbol of its own comes before another instrument's alias.
    plain = Instrument.plain_name(symbol)
    exact = [instrument for instrument in found if Instrument.plain_name(instrument.symbol) == plain]
    if len(found) > 1 and len(exact) != 1:
        names = ", ".join(instrument.symbol for instrument in found)
        raise ValidationError({"symbol": f"{symbol} may be any of {names}."})
    instrument = exact[0] if exact else found[0]
    if active and not instrument.is_active:
        raise ValidationError({"symbol": f"No candles of {instrument} are fetched: it is not active."})
    return instrument
