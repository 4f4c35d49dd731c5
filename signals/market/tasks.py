"""Entry points of the worker: read the exchange's clock, call one service per instrument."""

from collections.abc import Iterator
from datetime import datetime

import structlog
from celery import shared_task
from django.utils import timezone

from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument
from signals.market.providers import ProviderError
from signals.market.services import chunks, rules, sync
from signals.market.services.clock import exchange_time
from signals.market.services.guard import guarded

logger = structlog.get_logger(__name__)


@shared_task
def sync_candles(timeframe: str) -> None:
    """One instrument's failure does not stop the others; the next tick asks again."""
    for instrument, as_of in _active_instruments():
        with guarded(f"candles {timeframe}", f"{instrument.exchange.code} {instrument}"):
            sync.sync_candles(instrument=instrument, timeframe=Timeframe(timeframe), as_of=as_of)


@shared_task
def refresh_rules() -> None:
    now = timezone.now()
    for exchange in Exchange.objects.filter(instruments__is_active=True).distinct():
        with guarded("order rules", exchange.code):
            rules.refresh_rules(exchange=exchange, now=now)


@shared_task
def build_chunks() -> None:
    for instrument, as_of in _active_instruments():
        for timeframe in Timeframe:
            with guarded("chunks", f"{instrument.exchange.code} {instrument} {timeframe}"):
                chunks.build_chunks(instrument=instrument, timeframe=timeframe, as_of=as_of)


def _active_instruments() -> Iterator[tuple[Instrument, datetime]]:
    """Each with its exchange's time; an exchange whose clock cannot be read is left for the next tick."""
    for exchange in Exchange.objects.filter(instruments__is_active=True).distinct():
        try:
            as_of = exchange_time(exchange_code=exchange.code)
        except ProviderError as error:
            logger.warning("no exchange time, its candles wait", exchange=exchange.code, error=str(error))
            continue
        for instrument in exchange.instruments.active().select_related("exchange"):
            yield instrument, as_of
