"""What strategies are known for: their record on an instrument's stored candles, and what was traded since.

The record of candles is a function of those stored at the beginning of the period that the decision falls into (a day;
an hour for bars shorter than an hour), so every process comes to the same one; each keeps the last it computed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from autopilot.engine.bootstrap import HORIZON, TrainingMarket, collect_samples
from autopilot.engine.confidence import Confidence, fit_rules
from autopilot.engine.records import NAMES, StrategyRecords, no_records
from autopilot.selectors import closed_results
from signals.engine.costs import MarketType
from signals.engine.regime import REGIMES
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.selectors import load_range

RECORD_DAYS = 180
MOST_BARS = 5_000
FEWEST_BARS = 300 + HORIZON
RECENT_DAYS = 90

_recent: dict[datetime, StrategyRecords] = {}
_kept: dict[tuple[int, str], tuple[datetime, "InstrumentRecord"]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class InstrumentRecord:
    """How each strategy did in each regime on this instrument, empty where too few candles are stored; and what the
    rules' choice is worth by it, None there."""

    records: StrategyRecords
    confidence: Confidence | None


def instrument_record(*, instrument: Instrument, timeframe: Timeframe, as_of: datetime) -> InstrumentRecord:
    key, until = (instrument.pk, timeframe.value), period_start(timeframe, as_of)
    kept = _kept.get(key)
    if kept and kept[0] == until:
        return kept[1]
    record = _counted(instrument, timeframe, until)
    if record.confidence is not None:  # a market without enough candles is asked again: they may come
        _kept[key] = (until, record)
    return record


def forget_records() -> None:
    """For tests: as a process that has just started."""
    _kept.clear()
    _recent.clear()


def period_start(timeframe: Timeframe, moment: datetime) -> datetime:
    whole = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return whole if timeframe.seconds < Timeframe.H1.seconds else whole.replace(hour=0)


def training_market(
    *, instrument: Instrument, timeframe: Timeframe, until: datetime, days: int
) -> TrainingMarket | None:
    """Closed candles of so many days before `until`, MOST_BARS at most; None where there are too few to judge."""
    bar = timedelta(seconds=timeframe.seconds)
    start = max(until - timedelta(days=days), until - MOST_BARS * bar)
    candles = load_range(
        instrument_id=instrument.pk,
        timeframe=timeframe,
        start=start,
        end=until - bar + timedelta(milliseconds=1),
    )
    if len(candles) < FEWEST_BARS:
        return None
    return TrainingMarket(
        name=str(instrument),
        candles=candles,
        rates=instrument.cost_rates(),
        can_short=instrument.market_type != MarketType.SPOT,
    )


def recent_records(*, as_of: datetime) -> StrategyRecords:
    """What the autopilots' own signals and trades came to in the last 90 days: the tracker's part of the record.

    Only what was recorded by then counts, so all that judge the same close share one answer.
    """
    if as_of in _recent:
        return _recent[as_of]
    counted = no_records()
    for strategy, regime, result in closed_results(since=as_of - timedelta(days=RECENT_DAYS), until=as_of):
        if strategy not in NAMES or regime not in set(REGIMES):
            continue
        cell = (NAMES.index(strategy), REGIMES.index(regime))
        counted.trades[cell] += 1
        counted.wins[cell] += result > 0
        counted.summed_r[cell] += result
    _recent.clear()
    _recent[as_of] = counted
    return counted


def _counted(instrument: Instrument, timeframe: Timeframe, until: datetime) -> InstrumentRecord:
    market = training_market(instrument=instrument, timeframe=timeframe, until=until, days=RECORD_DAYS)
    if market is None or not np.all(market.candles.low > 0):
        return InstrumentRecord(no_records(), None)
    samples = collect_samples([market], timeframe=timeframe)
    return InstrumentRecord(samples.records, fit_rules(samples))
