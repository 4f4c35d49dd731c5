"""One writer at a time for the candles of an instrument and timeframe."""

from django.db import connection

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument


def lock_candles(*, instrument: Instrument, timeframe: Timeframe) -> None:
    """Until the transaction ends: two writers side by side would each build a chunk without the other's bars.

    The instrument is locked against deletion too, as a foreign key would do for every row.
    Raises Instrument.DoesNotExist.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"candles {instrument.pk} {timeframe}"]
        )
        cursor.execute("SELECT id FROM market_instrument WHERE id = %s FOR KEY SHARE", [instrument.pk])
        if cursor.fetchone() is None:
            raise Instrument.DoesNotExist(f"{instrument} was deleted meanwhile")
