"""The one way a signal comes into the world: ledger entry and deliveries in a single transaction."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, connection, transaction

from signals.crash_points import CrashPoint, reach
from signals.engine.exit_plan import ExitPlan
from signals.engine.horizon import HORIZON_BARS, VALIDITY_BARS
from signals.engine.ledger import EntryKind
from signals.engine.session import sessions_at
from signals.engine.strategy import StrategySignal
from signals.engine.timeframe import Timeframe
from signals.events import signal_coming, signal_published
from signals.market.models import Instrument
from signals.models import Signal, SignalSource
from signals.services.candle_key import CandleKey
from signals.services.ledger import append_entries
from signals.telemetry import SIGNALS_PUBLISHED

# Any number that no other advisory lock of this database uses. Every publication shares it from its beginning to its
# commit, so whoever takes it alone finds none half done.
PUBLICATIONS_LOCK = 7_305_002
LONGEST_EVIDENCE = 300


# The first half of a pair of which the second is an instrument: publications on one instrument take turns, so that
# each sees what the one before gave to whom.
INSTRUMENT_LOCK = 7_305_003


@dataclass(frozen=True, slots=True)
class Probability:
    """Estimate of P(profit after costs), from `n` outcomes, with its interval."""

    value: float
    n: int
    low: float
    high: float

    def columns(self) -> dict[str, Any]:
        return {
            "probability": self.value,
            "probability_n": self.n,
            "probability_low": self.low,
            "probability_high": self.high,
        }


def publish(  # noqa: PLR0913  (what a publication is made of)
    *,
    instrument: Instrument,
    decision: StrategySignal,
    timeframe: Timeframe,
    candle_open_time: datetime,
    source: SignalSource,
    variant: str = "",
    experimental: bool = False,
    valid_for: timedelta | None = None,
    probability: Probability | None = None,
    standing: str = "",
    evidence: str = "",
) -> Signal:
    """Write the Signal with its ledger hash and, through `signals.events`, its deliveries.

    A repeat is harmless: the signal that stands for this candle, source and variant is returned.
    The instant of publication is the database's, which is also the clock that releases deliveries. It is that at which
    the publication begins, so tiers' delays count from there, and two at the same time may enter the ledger in either
    order. `valid_for` counts from it too; by default VALIDITY_BARS bars. standing, evidence: what the gate said.
    """
    key = CandleKey(instrument, candle_open_time, timeframe, source, variant).columns()
    if published := Signal.objects.filter(**key).first():
        return published
    try:
        with transaction.atomic():
            signal_id, published_at = begin_publication(instrument.pk)
            signal = Signal(
                pk=signal_id,
                **key,
                strategy=decision.strategy,
                direction=decision.direction.value,
                confidence=decision.confidence,
                entry_price=decision.entry_price,
                stop_loss=decision.stop_loss,
                take_profit=decision.take_profit,
                plan=plan_of(decision).as_json(),
                standing=standing,
                evidence=evidence[:LONGEST_EVIDENCE],
                reasons=list(decision.reasons),
                experimental=experimental,
                sessions=sorted(session.value for session in sessions_at(published_at)),
                published_at=published_at,
                expires_at=published_at + (valid_for or timedelta(seconds=VALIDITY_BARS * timeframe.seconds)),
                **(probability.columns() if probability else {}),
            )
            signal_coming.send(sender=Signal, coming=signal)
            append_to_ledger(signal)
            reach(CrashPoint.AFTER_SIGNAL_INSERT)
            signal_published.send(sender=Signal, published=signal)
            reach(CrashPoint.AFTER_FAN_OUT_BEFORE_COMMIT)
            transaction.on_commit(partial(reach, CrashPoint.AFTER_COMMIT))
            transaction.on_commit(SIGNALS_PUBLISHED.labels(source=source.value).inc)
    except IntegrityError:
        if came_first := Signal.objects.filter(**key).first():
            return came_first
        raise
    return signal


def plan_of(decision: StrategySignal) -> ExitPlan:
    """The decision's plan; a fixed one without a longest hold lasts HORIZON_BARS."""
    plan = decision.exit_plan
    return plan if plan.longest_hold_bars else replace(plan, longest_hold_bars=HORIZON_BARS)


def begin_publication(instrument_id: int) -> tuple[int, datetime]:
    """The id that the signal will have, and the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [INSTRUMENT_LOCK, instrument_id])
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s), nextval(pg_get_serial_sequence('signals_signal', 'id')), "
            "clock_timestamp()",
            [PUBLICATIONS_LOCK],
        )
        _, signal_id, moment = cursor.fetchone()
    return signal_id, moment


def append_to_ledger(signal: Signal) -> None:
    """Write the entry, then the row that refers to it. The ledger's end is held until commit."""
    [signal.ledger_entry] = append_entries(kind=EntryKind.SIGNAL, facts=[ledger_facts(signal)])
    signal.save(force_insert=True)


def ledger_facts(signal: Signal) -> dict[str, Any]:
    """What the ledger records: everything that a subscriber was told, in values that do not depend on our tables."""
    instrument = signal.instrument
    return {
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
        "plan": signal.plan,
        "standing": signal.standing,
        "evidence": signal.evidence,
        "reasons": signal.reasons,
        "experimental": signal.experimental,
        "sessions": signal.sessions,
        "published_at": signal.published_at,
        "expires_at": signal.expires_at,
    }
