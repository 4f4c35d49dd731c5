"""Simulated prices and real ones never share a database: they would be decided upon together, under one name."""

from django.db.models import Exists, OuterRef

from signals.market.models import Candle, Exchange

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
