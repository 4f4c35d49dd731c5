"""The one way a signal comes into the world: ledger entry and deliveries in a single transaction."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction

from signals.crash_points import CrashPoint, reach
from signals.engine.hybrid import VALIDITY_BARS
from signals.engine.ledger import GENESIS_HASH, entry_hash
from signals.engine.session import sessions_at
from signals.engine.strategy import StrategySignal
from signals.engine.timeframe import Timeframe
from signals.events import signal_published
from signals.market.models import Instrument
from signals.models import Signal, SignalSource
from signals.telemetry import SIGNALS_PUBLISHED

LEDGER_LOCK = 7_305_001  # any number that no other advisory lock of this database uses


def publish(
    *,
    instrument: Instrument,
    decision: StrategySignal,
    timeframe: Timeframe,
    candle_open_time: datetime,
    source: SignalSource,
    variant: str = "",
    experimental: bool = False,
    valid_for: timedelta | None = None,
) -> Signal:
    """Write the Signal with its ledger hash and, through `signal_published`, its deliveries.

    A repeat is harmless: the signal that stands for this candle, source and variant is returned.
    The instant of publication is the database's, which is also the clock that releases deliveries.
    `valid_for` counts from then; by default VALIDITY_BARS bars.
    """
    key = {
        "instrument": instrument,
        "timeframe": timeframe.value,
        "candle_open_time": candle_open_time,
        "source": source.value,
        "variant": variant,
    }
    with transaction.atomic():
        published_at = lock_ledger()
        standing = Signal.objects.filter(**key).first()
        if standing:
            return standing
        signal = Signal(
            **key,
            strategy=decision.strategy,
            direction=decision.direction.value,
            confidence=decision.confidence,
            entry_price=decision.entry_price,
            stop_loss=decision.stop_loss,
            take_profit=decision.take_profit,
            reasons=list(decision.reasons),
            experimental=experimental,
            sessions=sorted(session.value for session in sessions_at(published_at)),
            published_at=published_at,
            expires_at=published_at + (valid_for or timedelta(seconds=VALIDITY_BARS * timeframe.seconds)),
        )
        append_to_ledger(signal)
        reach(CrashPoint.AFTER_SIGNAL_INSERT)
        signal_published.send(sender=Signal, published=signal)
        reach(CrashPoint.AFTER_FAN_OUT_BEFORE_COMMIT)
        transaction.on_commit(partial(reach, CrashPoint.AFTER_COMMIT))
        transaction.on_commit(SIGNALS_PUBLISHED.labels(source=source.value).inc)
    return signal


def lock_ledger() -> datetime:
    """Hold the ledger's end until commit and return the database's time: entries are written one by one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LEDGER_LOCK])
        cursor.execute("SELECT clock_timestamp()")
        (moment,) = cursor.fetchone()
    return moment


def append_to_ledger(signal: Signal) -> None:
    last = Signal.objects.order_by("-sequence").only("sequence", "hash").first()
    signal.sequence = last.sequence + 1 if last else 1
    signal.prev_hash = last.hash if last else GENESIS_HASH
    signal.hash = entry_hash(signal.prev_hash, ledger_payload(signal))
    signal.save(force_insert=True)


def ledger_payload(signal: Signal) -> dict[str, Any]:
    """What a hash covers: everything that a subscriber was told, in values that do not depend on our tables."""
    instrument = signal.instrument
    return {
        "sequence": signal.sequence,
        "public_id": str(signal.public_id),
        "exchange": instrument.exchange.code,
        "symbol": instrument.symbol,
        "timeframe": signal.timeframe,
        "candle_open_time": signal.candle_open_time,
        "source": signal.source,
        "variant": signal.variant,
        "strategy": signal.strategy,
        "direction": signal.direction,
        "confidence": signal.confidence,
        "entry_price": signal.entry_price,
        "stop_loss": signal.stop_loss,
        "take_profit": signal.take_profit,
        "reasons": signal.reasons,
        "experimental": signal.experimental,
        "sessions": signal.sessions,
        "published_at": signal.published_at,
        "expires_at": signal.expires_at,
    }
