"""Stored partners: chosen once a day from stored candles, read by every decision."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import numpy as np
from django.db.models import Max

from signals.engine.candle import FloatArray
from signals.engine.pairing import best_partners
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import Instrument
from signals.market.selectors import load_range
from signals.market.services.guard import guarded
from signals.models import REFRESHED_AFTER, PartnerChoice

COMPARED_BARS = 2_160  # 90 days of hours


def refresh_partners(*, exchange_code: str, as_of: datetime, now: datetime) -> int:
    """Choose anew for active instruments whose choice is a day old; how many choices were written.

    A partner is an active instrument of the same exchange and quote; that there is none is a choice too.
    Whoever lacks the candle that closed last neither chooses nor is chosen.
    """
    closed_at = as_of - timedelta(milliseconds=int(as_of.timestamp() * 1000) % BASE_TIMEFRAME.milliseconds)
    chosen = dict(
        PartnerChoice.objects.filter(timeframe=BASE_TIMEFRAME.value)
        .known_at(as_of)
        .values_list("instrument")
        .annotate(Max("fitted_through"))
    )
    instruments = (
        Instrument.objects.active()
        .filter(exchange__code=exchange_code)
        .select_related("exchange")
        .order_by("quote", "symbol")
    )
    rows: list[PartnerChoice] = []
    for _, group in groupby(instruments, lambda instrument: instrument.quote):
        candidates = list(group)
        due = {
            each.pk
            for each in candidates
            if each.pk not in chosen or closed_at - chosen[each.pk] >= REFRESHED_AFTER
        }
        if due:
            with guarded("partners", f"{exchange_code} {candidates[0].quote}"):
                rows += [
                    row for row in _choices(candidates, closed_at, as_of, now) if row.instrument_id in due
                ]
    return len(PartnerChoice.objects.bulk_create(rows, ignore_conflicts=True))


def chosen_partner(*, instrument: Instrument, as_of: datetime) -> Instrument | None:
    """Of the newest choice that was known at `as_of`, if it is of the last seven days and its partner is active."""
    newest = PartnerChoice.objects.select_related("partner").newest(
        instrument_id=instrument.pk, timeframe=BASE_TIMEFRAME.value, as_of=as_of
    )
    if newest is None or newest.partner is None or newest.is_too_old(as_of):
        return None
    return newest.partner if newest.partner.is_active else None


def _choices(
    candidates: Sequence[Instrument], closed_at: datetime, as_of: datetime, now: datetime
) -> list[PartnerChoice]:
    closes = np.full((COMPARED_BARS + 1, len(candidates)), np.nan)
    for column, each in enumerate(candidates):
        with guarded("partners", f"{each.exchange.code} {each}"):
            closes[:, column] = _closes(each.pk, closed_at)
    present = np.flatnonzero(np.isfinite(closes[-1]))
    if len(present) == 0:
        return []
    compared = [candidates[column] for column in present.tolist()]
    partners, strengths = best_partners(closes[:, present])
    return [
        PartnerChoice(
            instrument=own,
            timeframe=BASE_TIMEFRAME.value,
            partner=compared[partner] if partner >= 0 else None,
            correlation=strength if partner >= 0 else None,
            fitted_through=closed_at,
            known_at=as_of,
            fitted_at=now,
        )
        for own, partner, strength in zip(compared, partners.tolist(), strengths.tolist(), strict=True)
    ]


def _closes(instrument_id: int, closed_at: datetime) -> FloatArray:
    """Of the COMPARED_BARS + 1 bars that end with the one that closed at `closed_at`; NaN where one is missing."""
    start = closed_at - timedelta(seconds=(COMPARED_BARS + 1) * BASE_TIMEFRAME.seconds)
    candles = load_range(instrument_id=instrument_id, timeframe=BASE_TIMEFRAME, start=start, end=closed_at)
    closes = np.full(COMPARED_BARS + 1, np.nan)
    closes[(candles.open_time - int(start.timestamp() * 1000)) // BASE_TIMEFRAME.milliseconds] = candles.close
    return closes
