"""Decisions that the gate kept back: written down, and followed to their end like signals."""

from datetime import datetime, timedelta
from itertools import groupby

import numpy as np
from django.db import transaction

from signals.engine.direction import Direction
from signals.engine.entry import entered_from
from signals.engine.moment import instant, milliseconds
from signals.engine.outcome import REASONS, follow_plans
from signals.engine.strategy import StrategySignal
from signals.engine.timeframe import Timeframe
from signals.market.selectors import load_range
from signals.market.services.guard import guarded
from signals.models import Evaluation, ShadowOutcome
from signals.services.outcomes import WARM_UP_BARS
from signals.services.publishing import plan_of


def keep_shadow(*, evaluation: Evaluation, signal: StrategySignal) -> ShadowOutcome:
    """Once for each evaluation; runs in the transaction that wrote it."""
    row, _ = ShadowOutcome.objects.get_or_create(
        evaluation=evaluation,
        defaults={
            "instrument": evaluation.instrument,
            "timeframe": evaluation.timeframe,
            "candle_open_time": evaluation.candle_open_time,
            "source": evaluation.source,
            "strategy": signal.strategy,
            "direction": signal.direction.value,
            "confidence": signal.confidence,
            "entry_price": signal.entry_price,
            "stop_loss": signal.stop_loss,
            "take_profit": signal.take_profit,
            "plan": plan_of(signal).as_json(),
            "decided_at": evaluation.as_of,
        },
    )
    return row


def follow_shadows(*, exchange_code: str, as_of: datetime, now: datetime) -> int:
    """Write the ends of those that have ended on candles closed at `as_of` (the exchange's time); return how many."""
    waiting = ShadowOutcome.objects.filter(instrument__exchange__code=exchange_code, recorded_at=None)
    ordered = waiting.select_related("instrument").order_by("instrument_id", "timeframe", "candle_open_time")
    written = 0
    for (instrument_id, timeframe), group in groupby(ordered, lambda row: (row.instrument_id, row.timeframe)):
        with guarded("shadow outcomes", f"{exchange_code} instrument {instrument_id} {timeframe}"):
            written += _follow(list(group), Timeframe(timeframe), as_of, now)
    return written


def _follow(shadows: list[ShadowOutcome], timeframe: Timeframe, as_of: datetime, now: datetime) -> int:
    period = timedelta(seconds=timeframe.seconds)
    candles = load_range(
        instrument_id=shadows[0].instrument_id,
        timeframe=timeframe,
        start=shadows[0].candle_open_time - WARM_UP_BARS * period,
        end=as_of - period + timedelta(milliseconds=1),
    )
    closes = [milliseconds(row.candle_open_time + period) for row in shadows]
    rows = np.searchsorted(candles.open_time, entered_from(closes, closes)) - 1
    begun = np.flatnonzero((rows >= 0) & (rows + 1 < len(candles)))
    outcomes = follow_plans(
        candles,
        rows=rows[begun],
        directions=[Direction(shadows[each].direction).sign for each in begun],
        entry_prices=[shadows[each].entry_price for each in begun],
        plans=[shadows[each].exit_plan for each in begun],
        rates=shadows[0].instrument.cost_rates(),
    )
    ended = [(place, shadows[each]) for place, each in enumerate(begun) if outcomes.ended[place]]
    with transaction.atomic():
        for place, row in ended:
            ShadowOutcome.objects.filter(pk=row.pk, recorded_at=None).update(
                exit_reason=REASONS[int(outcomes.exit_reason[place])].value,
                entered_at=instant(int(outcomes.entered_at[place])),
                exited_at=instant(int(outcomes.exited_at[place])),
                r_multiple=float(outcomes.r_multiple[place]),
                recorded_at=now,
            )
    return len(ended)
