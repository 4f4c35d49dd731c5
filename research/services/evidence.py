"""The daily measurement behind the gate: every kind of signal on stored candles, through the code of live."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from signals.engine.candle import OHLCV, FloatArray, TimeArray
from signals.engine.evidence import HISTORY_FROM, SignalKind, figures
from signals.engine.exit_plan import PlanKind, fixed
from signals.engine.horizon import HORIZON_BARS
from signals.engine.hybrid import BASE_TIMEFRAME, DEFAULTS, STRATEGY_NAMES, TIMEFRAME_WEIGHTS, decisions
from signals.engine.moment import milliseconds
from signals.engine.outcome import follow_plans
from signals.engine.session import AssetClass
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import WINDOW_BARS, Timeframe
from signals.engine.trend import FROZEN, STRATEGY, TIMEFRAME, trades
from signals.market.models import Instrument
from signals.market.selectors import load_range
from signals.market.services.guard import guarded
from signals.models import Evidence, Job, SignalSource
from signals.services.evidence import Ended, group_of, record_evidence

Found = dict[SignalKind, list[tuple[TimeArray, FloatArray]]]


def measure_evidence(
    *, now: datetime, progress: Callable[[int, int, str], None], job: Job | None = None
) -> dict[str, Any]:
    """Simulate, write the rows that decisions will read, and say what they hold."""
    found: Found = {}
    instruments = list(Instrument.objects.active().select_related("exchange").order_by("pk"))
    for number, instrument in enumerate(instruments):
        progress(number, len(instruments), str(instrument))
        with guarded("evidence", str(instrument)):
            for kind, moments, r in (*_trend(instrument, now), *_fused(instrument, now)):
                found.setdefault(kind, []).append((moments, r))
    history = {
        kind: Ended(np.concatenate([each for each, _ in parts]), np.concatenate([r for _, r in parts]))
        for kind, parts in found.items()
    }
    rows = record_evidence(history=history, now=now, job=job)
    progress(len(instruments), len(instruments), "")
    return {"kinds": {str(row.kind): f"{row.standing}: {figures(row.measured)}" for row in rows}}


def is_due(*, now: datetime) -> bool:
    """Once a day; at once where nothing was measured yet."""
    newest = Evidence.objects.order_by("-measured_at").first()
    return newest is None or now - newest.measured_at >= timedelta(days=1)


def _candles(instrument: Instrument, timeframe: Timeframe, now: datetime) -> OHLCV:
    period = timedelta(seconds=timeframe.seconds)
    return load_range(
        instrument_id=instrument.pk,
        timeframe=timeframe,
        start=HISTORY_FROM - WINDOW_BARS * period,
        end=now - period + timedelta(milliseconds=1),
    )


def _trend(instrument: Instrument, now: datetime) -> Iterator[tuple[SignalKind, TimeArray, FloatArray]]:
    if instrument.asset_class != AssetClass.CRYPTO:
        return
    candles = _candles(instrument, TIMEFRAME, now)
    if len(candles) < FROZEN.lookback:
        return
    done = trades(candles, rates=instrument.cost_rates())
    kept = candles.open_time[done.rows] >= milliseconds(HISTORY_FROM)
    kind = SignalKind(
        SignalSource.HYBRID.value, group_of(STRATEGY), "long", PlanKind.MANAGED, instrument.asset_class
    )
    yield kind, candles.open_time[done.rows][kept], done.outcomes.r_multiple[kept]


def _fused(instrument: Instrument, now: datetime) -> Iterator[tuple[SignalKind, TimeArray, FloatArray]]:
    """The fused decision at each hour, with stops by the ATR: fits of the past are not made anew for this."""
    windows = {timeframe: _candles(instrument, timeframe, now) for timeframe in TIMEFRAME_WEIGHTS}
    if not all(len(each) for each in windows.values()):
        return
    base, rates = windows[BASE_TIMEFRAME], instrument.cost_rates()
    series = decisions(windows, DEFAULTS, DecisionContext(as_of=now, round_trip_cost=rates.round_trip))
    rows = series.signal_rows[base.open_time[series.signal_rows] >= milliseconds(HISTORY_FROM)]
    outcomes = follow_plans(
        base,
        rows=rows,
        directions=series.direction[rows],
        entry_prices=series.entry_price[rows],
        plans=[
            fixed(stop=float(stop), target=float(target), longest_hold_bars=HORIZON_BARS)
            for stop, target in zip(series.stop_loss[rows], series.take_profit[rows], strict=True)
        ],
        rates=rates,
    )
    groups = np.array([group_of(name) for name in STRATEGY_NAMES])[series.strategy[rows]]
    for group in np.unique(groups):
        for side, sign in (("long", 1), ("short", -1)):
            of_kind = (groups == group) & (series.direction[rows] == sign) & outcomes.ended
            if of_kind.any():
                kind = SignalKind(
                    SignalSource.HYBRID.value, str(group), side, PlanKind.FIXED, instrument.asset_class
                )
                yield kind, base.open_time[rows][of_kind], outcomes.r_multiple[of_kind]
