"""Evidence rows: what the daily job found of each kind of signal, written as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

import numpy as np
from django.db import transaction

from signals.engine.candidates import candidate_of
from signals.engine.candle import FloatArray, TimeArray
from signals.engine.direction import Direction
from signals.engine.evidence import (
    HISTORY_FROM,
    Measured,
    SignalKind,
    figures,
    measure,
    shrink,
    standing,
    verdict,
    week_of,
)
from signals.engine.exit_plan import PlanKind
from signals.engine.in_words import share_of_profit
from signals.engine.moment import milliseconds
from signals.engine.strategies import STRATEGIES
from signals.models import Evidence, Job, ShadowOutcome, SignalOutcome


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """Trades of one kind that have ended: closes on which they were decided (UTC ms), and R after costs."""

    decided_at: TimeArray
    r_multiple: FloatArray

    def before(self, moment: int) -> "Ended":
        kept = self.decided_at < moment
        return Ended(self.decided_at[kept], self.r_multiple[kept])

    def with_(self, other: "Ended") -> "Ended":
        return Ended(
            np.concatenate((self.decided_at, other.decided_at)),
            np.concatenate((self.r_multiple, other.r_multiple)),
        )

    def measured(self) -> Measured:
        return measure(self.r_multiple, week_of(self.decided_at))


NOTHING_ENDED = Ended(np.empty(0, dtype=np.int64), np.empty(0))


def group_of(strategy: str) -> str:
    known = STRATEGIES.get(strategy)
    return known.group.value if known else strategy


def live_record(*, as_of: datetime) -> dict[SignalKind, Ended]:
    """What was known at `as_of` of the ends of published signals and of shadows, by kind."""
    rows: dict[SignalKind, list[tuple[int, float]]] = {}
    outcomes = SignalOutcome.objects.filter(recorded_at__lte=as_of).select_related("signal__instrument")
    for each in outcomes.iterator(chunk_size=1000):
        kind = _kind(each.signal.source, each.signal.strategy, each.signal.direction, each.signal.exit_plan.kind,
                     each.signal.instrument.asset_class)  # fmt: skip
        rows.setdefault(kind, []).append((milliseconds(each.signal.candle_open_time), each.r_multiple))
    shadows = ShadowOutcome.objects.filter(recorded_at__lte=as_of, r_multiple__isnull=False)
    for row in shadows.select_related("instrument").iterator(chunk_size=1000):
        kind = _kind(row.source, row.strategy, row.direction, row.exit_plan.kind, row.instrument.asset_class)
        rows.setdefault(kind, []).append((milliseconds(row.candle_open_time), row.r_multiple or 0.0))
    return {kind: _ended(found) for kind, found in rows.items()}


def _kind(source: str, strategy: str, direction: str, plan: PlanKind, asset_class: str) -> SignalKind:
    return SignalKind(source, group_of(strategy), Direction(direction).value, plan, asset_class)


def _ended(rows: Sequence[tuple[int, float]]) -> Ended:
    moments, r = zip(*rows, strict=True)
    return Ended(np.array(moments, dtype=np.int64), np.array(r, dtype=np.float64))


def record_evidence(
    *, history: Mapping[SignalKind, Ended], now: datetime, job: Job | None = None
) -> list[Evidence]:
    """One row for each kind of which anything is known; a decision reads the newest that was known at its close.

    Where a kind has a live record, its history counts up to the first decision of that, so that nothing counts twice.
    """
    live = live_record(as_of=now)
    kinds = sorted({*history, *live})
    past, together = {}, {}
    for kind in kinds:
        lived = live.get(kind, NOTHING_ENDED)
        begun = int(lived.decided_at.min()) if len(lived.decided_at) else milliseconds(now)
        past[kind] = history.get(kind, NOTHING_ENDED).before(begun)
        together[kind] = past[kind].with_(lived)
    measured = {kind: together[kind].measured() for kind in kinds}
    shrunk = shrink(measured)
    rows = [
        _row(kind, past[kind], live.get(kind, NOTHING_ENDED), together[kind], shrunk[kind], now, job)
        for kind in kinds
    ]
    with transaction.atomic():
        return Evidence.objects.bulk_create(rows)


def _row(
    kind: SignalKind,
    past: Ended,
    live: Ended,
    together: Ended,
    shrunk: Measured,
    now: datetime,
    job: Job | None,
) -> Evidence:
    candidate = candidate_of(kind)
    held = standing(shrunk, registered=candidate is not None)
    before, since, whole = past.measured(), live.measured(), together.measured()
    r = together.r_multiple
    said = verdict(held, shrunk, cost_r=0.0)
    return Evidence(
        source=kind.source,
        group=kind.group,
        side=kind.side,
        plan=kind.plan.value,
        asset_class=kind.asset_class,
        candidate=candidate.name if candidate else "",
        history_from=HISTORY_FROM,
        frozen_at=candidate.registered_on if candidate else None,
        history_n=before.n,
        history_mean=_known(before.mean),
        history_error=_known(before.standard_error),
        live_n=since.n,
        live_mean=_known(since.mean),
        live_error=_known(since.standard_error),
        n=whole.n,
        weeks=whole.weeks,
        mean=_known(whole.mean),
        standard_error=_known(whole.standard_error),
        shrunk_mean=_known(shrunk.mean),
        shrunk_error=_known(shrunk.standard_error),
        hit_rate=float((r > 0).mean()) if len(r) else None,
        median=float(np.median(r)) if len(r) else None,
        carried=_known(share_of_profit(r)),
        standing=held.value,
        reason=f"{said.reason}; history from {HISTORY_FROM:%Y} on: {figures(before)}; live: {figures(since)}"[
            :300
        ],
        known_at=now,
        measured_at=now,
        job=job,
    )


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
