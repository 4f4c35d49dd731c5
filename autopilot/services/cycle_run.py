"""All autopilots that are due, exchange by exchange, with fresh candles where the schedule brings none."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from autopilot.models import Instance
from autopilot.services.cycles import record_failure, run_cycle
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, Timeframe
from signals.market.models import Instrument
from signals.market.providers import ProviderError
from signals.market.selectors import newest_open_time
from signals.market.services.clock import exchange_time
from signals.market.services.guard import EXPECTED, guarded
from signals.market.services.sync import sync_candles

logger = structlog.get_logger(__name__)


def run_due_cycles(*, now: datetime) -> int:
    """One cycle for each autopilot that is due; how many decisions were written. One that fails stops no other."""
    written = 0
    for instance, as_of, data_error in _due(now):
        with guarded("autopilot", str(instance)):
            try:
                decision = run_cycle(instance_id=instance.pk, as_of=as_of, now=now, data_error=data_error)
            except EXPECTED as error:
                record_failure(instance_id=instance.pk, error=error, now=now)
                raise
            written += decision is not None
    return written


def _due(now: datetime) -> Iterator[tuple[Instance, datetime, str]]:
    """Each with the exchange's time (ours where it tells none) and why its candles could not be fetched."""
    due = Instance.objects.running().filter(next_run_at__lte=now).select_related("instrument__exchange")
    ordered = due.order_by("instrument__exchange__code", "instrument_id", "timeframe")
    for code, instances in groupby(ordered, lambda instance: instance.instrument.exchange.code):
        as_of, clock_error = _time_of(code, now)
        for instance in instances:
            error = clock_error or _fetch(instance.instrument, Timeframe(instance.timeframe), as_of)
            yield instance, as_of, error


def _time_of(code: str, now: datetime) -> tuple[datetime, str]:
    try:
        return exchange_time(exchange_code=code), ""
    except ProviderError as error:
        logger.warning(
            "no exchange time, autopilots go on with stored candles", exchange=code, error=str(error)
        )
        return now, str(error)


def _fetch(instrument: Instrument, timeframe: Timeframe, as_of: datetime) -> str:
    """Bring what closed since, for lengths that the schedule does not; in words why that failed."""
    if timeframe in TIMEFRAME_WEIGHTS:
        return ""
    newest = newest_open_time(instrument_id=instrument.pk, timeframe=timeframe)
    if newest is not None and as_of - newest < 2 * timedelta(seconds=timeframe.seconds):
        return ""
    try:
        sync_candles(instrument=instrument, timeframe=timeframe, as_of=as_of)
    except ProviderError as error:
        logger.warning("candles of an autopilot could not be fetched", what=str(instrument), error=str(error))
        return str(error)
    return ""
