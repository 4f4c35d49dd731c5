"""Entry points of the worker: read the exchange's clock, call one service per instrument."""

from collections.abc import Iterator
from datetime import datetime

import structlog
from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from signals.engine.sentiment import Origin
from signals.engine.timeframe import Timeframe
from signals.market.models import Exchange, Instrument
from signals.market.providers import ProviderError
from signals.market.services import chunks, closing, rules, sentiment, sync
from signals.market.services.clock import exchange_time
from signals.market.services.guard import guarded

logger = structlog.get_logger(__name__)

CLOSE_SEEN_AHEAD_SECONDS = (
    45  # a tick and a half: a late tick shall not miss it, and a second look does no harm
)
CLOSE_GRACE_SECONDS = 0.2
CLOSE_ATTEMPTS = 25


@shared_task
def sync_candles(timeframe: str) -> None:
    """One instrument's failure does not stop the others; the next tick asks again."""
    for instrument, as_of in _active_instruments():
        with guarded(f"candles {timeframe}", f"{instrument.exchange.code} {instrument}"):
            sync.sync_candles(instrument=instrument, timeframe=Timeframe(timeframe), as_of=as_of)


@shared_task
def await_close() -> None:
    """Where the next close comes before the next tick, be there when it does: half a minute earlier on average."""
    for exchange, as_of in _active_exchanges():
        closes_at = closing.next_close(as_of)
        wait = (closes_at - as_of).total_seconds()
        if wait <= CLOSE_SEEN_AHEAD_SECONDS:
            _send_later(wait + CLOSE_GRACE_SECONDS, exchange.code, closes_at.isoformat(), CLOSE_ATTEMPTS)


@shared_task
def sync_at_close(exchange_code: str, closed_at: str, attempts_left: int) -> None:
    """Ask each second until every candle has come; after the last attempt they are the next tick's."""
    exchange = Exchange.objects.get(code=exchange_code)
    as_of = exchange_time(exchange_code=exchange_code)
    lacking = closing.sync_closed(exchange=exchange, closed_at=datetime.fromisoformat(closed_at), as_of=as_of)
    if lacking and attempts_left > 1:
        _send_later(1, exchange_code, closed_at, attempts_left - 1)


@shared_task
def refresh_rules() -> None:
    now = timezone.now()
    for exchange in Exchange.objects.filter(instruments__is_active=True).distinct():
        with guarded("order rules", exchange.code):
            rules.refresh_rules(exchange=exchange, now=now)


@shared_task
def read_sentiment(origin: str) -> None:
    """What one origin says of each instrument; what cannot be had is neutral and stands at its source."""
    for exchange, as_of in _active_exchanges():
        with guarded(f"sentiment {origin}", exchange.code):
            sentiment.read_sentiment(
                exchange=exchange, origin=Origin(origin), as_of=as_of, now=timezone.now()
            )


@shared_task
def build_chunks() -> None:
    for instrument, as_of in _active_instruments():
        for timeframe in Timeframe:
            with guarded("chunks", f"{instrument.exchange.code} {instrument} {timeframe}"):
                chunks.build_chunks(instrument=instrument, timeframe=timeframe, as_of=as_of)


def _active_instruments() -> Iterator[tuple[Instrument, datetime]]:
    for exchange, as_of in _active_exchanges():
        for instrument in exchange.instruments.active().select_related("exchange"):
            yield instrument, as_of


def _active_exchanges() -> Iterator[tuple[Exchange, datetime]]:
    """Each with its time; an exchange whose clock cannot be read is left for the next tick."""
    for exchange in Exchange.objects.filter(instruments__is_active=True).distinct():
        try:
            yield exchange, exchange_time(exchange_code=exchange.code)
        except ProviderError as error:
            logger.warning("no exchange time, its candles wait", exchange=exchange.code, error=str(error))


def _send_later(seconds: float, *args: str | int) -> None:
    """What no broker takes is the next tick's."""
    try:
        sync_at_close.apply_async(args, countdown=seconds, retry=False)
    except OperationalError as error:
        logger.warning("broker unreachable, the next tick fetches the candles", error=str(error))
