"""Before an autopilot is started: how often a threshold would have fired on that instrument in the last 90 days."""

from datetime import datetime

from autopilot.engine.bootstrap import collect_samples
from autopilot.engine.confidence import fit_rules
from autopilot.engine.cycle import Mode
from autopilot.engine.firing import Firing, past_firing
from autopilot.services.champion import loaded_champion
from autopilot.services.record_keeping import RECORD_DAYS, period_start, training_market
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument

ASKED_DAYS = 90

_kept: dict[tuple[int, str, str, int], tuple[datetime, Firing]] = {}


def firing_of(*, instrument: Instrument, timeframe: Timeframe, mode: Mode, as_of: datetime) -> Firing | None:
    """None where too few candles are stored. Kept by this process until the day (for minutes: the hour) is over."""
    champion = loaded_champion(as_of=as_of)
    model = champion.model if champion.model and champion.model.timeframe in {"", timeframe.value} else None
    key = (instrument.pk, timeframe.value, mode.value, champion.row.pk if champion.row else 0)
    until = period_start(timeframe, as_of)
    kept = _kept.get(key)
    if kept and kept[0] == until:
        return kept[1]
    market = training_market(instrument=instrument, timeframe=timeframe, until=until, days=RECORD_DAYS)
    found = None
    if market is not None:
        samples = collect_samples([market], timeframe=timeframe)
        if len(samples):
            found = past_firing(
                samples, mode=mode, model=model, confidence=fit_rules(samples), days=ASKED_DAYS
            )
    if found is not None:  # a market without enough candles is asked again: they may come
        _kept[key] = (until, found)
    return found
