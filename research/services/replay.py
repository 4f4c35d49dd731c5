"""Walk over stored candles through the same decision and the same eligibility as live, into tables of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from notifications.services.eligibility import candidates_sql, signal_parameters
from research.models import ReplayRun, ReplaySignal
from signals.engine.hybrid import BASE_TIMEFRAME, VALIDITY_BARS, Outcome
from signals.engine.session import sessions_at
from signals.engine.standing import walking
from signals.engine.strategy import StrategySignal
from signals.market.models import Instrument
from signals.market.selectors import walking_over
from signals.models import SignalSource
from signals.services.evaluation import BASE_PERIOD, CandleMissingError, Recent, judge
from signals.services.gate import judge_by_evidence
from signals.services.publishing import plan_of

NO_CANDLE = "no candle"
REPLAYED_DELIVERIES = """(
    SELECT delivery.subscriber_id, delivery.due_at FROM research_replaydelivery delivery
    JOIN research_replaysignal replayed ON replayed.id = delivery.signal_id WHERE replayed.run_id = %(run_id)s)"""
FAN_OUT = f"""
INSERT INTO research_replaydelivery (signal_id, subscriber_id, tier, due_at)
SELECT %(signal_id)s, subscriber_id, tier, due_at FROM ({candidates_sql(REPLAYED_DELIVERIES)}) AS candidate
WHERE reason IS NULL
"""  # noqa: S608  (constants of this module and of eligibility)


def replay(
    *,
    start: datetime,
    end: datetime,
    instruments: list[Instrument],
    progress: Callable[[int, int, str], None],
) -> ReplayRun:
    """Judge every close of the base timeframe in [start, end); `progress` counts closes, and may stop by raising.

    A close whose candle is not stored is counted as "no candle", like an outage of the exchange.
    """
    run = ReplayRun.objects.create(start=start, end=end, started_at=timezone.now())
    run.instruments.set(instruments)
    outcomes: Counter[str] = Counter()
    moments = list(closes(start, end))
    recent = {instrument.pk: Recent() for instrument in instruments}
    with walking(), walking_over(start, end):
        for number, as_of in enumerate(moments):
            progress(number, len(moments), f"{as_of:%Y-%m-%d}")
            for instrument in instruments:
                outcomes[
                    replay_close(run=run, instrument=instrument, as_of=as_of, recent=recent[instrument.pk])
                ] += 1
    run.outcomes = dict(sorted(outcomes.items()))
    run.finished_at = timezone.now()
    run.save()
    progress(len(moments), len(moments), "")
    return run


def closes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Moments in [start, end) at which a bar of the base timeframe closes."""
    period = int(BASE_PERIOD.total_seconds())
    first = -(-int(start.timestamp()) // period) * period
    moment = start + timedelta(seconds=first - int(start.timestamp()))
    while moment < end:
        yield moment
        moment += BASE_PERIOD


def replay_close(*, run: ReplayRun, instrument: Instrument, as_of: datetime, recent: Recent) -> str:
    try:
        decision = judge(instrument=instrument, as_of=as_of, recent=recent)
    except CandleMissingError:
        return NO_CANDLE
    if decision.signal:
        record_signal(run=run, instrument=instrument, decision=decision.signal, published_at=as_of)
    return Outcome(decision.outcome).value


def record_signal(
    *, run: ReplayRun, instrument: Instrument, decision: StrategySignal, published_at: datetime
) -> None:
    """Write the signal as if published at the close, and who would have received it."""
    signal = ReplaySignal.objects.create(
        run=run,
        instrument=instrument,
        strategy=decision.strategy,
        direction=decision.direction.value,
        confidence=decision.confidence,
        entry_price=decision.entry_price,
        stop_loss=decision.stop_loss,
        take_profit=decision.take_profit,
        plan=plan_of(decision).as_json(),
        verdict=judge_by_evidence(
            instrument=instrument, signal=decision, source=SignalSource.HYBRID, as_of=published_at
        ).reason[:300],
        sessions=sorted(session.value for session in sessions_at(published_at)),
        published_at=published_at,
        expires_at=published_at + timedelta(seconds=VALIDITY_BARS * BASE_TIMEFRAME.seconds),
    )
    with connection.cursor() as cursor:
        cursor.execute(FAN_OUT, signal_parameters(signal) | {"signal_id": signal.pk, "run_id": run.pk})
