"""Entry points of the worker: read the clock, call one service.

Services with compiled code are imported inside: whoever only wakes a worker does not load them. The worker's
parent has (`copilot_project.celery`).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import structlog
from celery import shared_task
from django.utils import timezone

from signals.market.models import Instrument
from signals.market.providers import ProviderError
from signals.market.services.clock import exchange_time
from signals.market.services.guard import guarded
from signals.models import ShadowOutcome, Signal
from signals.selectors import candles_without_evaluation
from signals.services import alarms, job_sweep, ledger_heads, liveness
from signals.tasks.candle_jobs import backfill_candles, import_candle_files

__all__ = ["backfill_candles", "import_candle_files"]

logger = structlog.get_logger(__name__)

STARTED_AT = timezone.now()  # of this worker; its children inherit it


@shared_task
def evaluate_candle(instrument_id: int, candle_open_time: str, as_of: str) -> None:
    from signals.services.evaluation import evaluate_close  # noqa: PLC0415

    evaluate_close(
        instrument=Instrument.objects.select_related("exchange").get(pk=instrument_id),
        candle_open_time=datetime.fromisoformat(candle_open_time),
        as_of=datetime.fromisoformat(as_of),
    )


@shared_task
def sweep_evaluations() -> None:
    """Judge every closed candle that was missed: a lost wake-up costs half a minute, never a signal."""
    from signals.services.evaluation import evaluate_close  # noqa: PLC0415

    for exchange_code, as_of in _times(_active_exchanges()):
        instruments = Instrument.objects.active().select_related("exchange").in_bulk()
        for instrument_id, open_time in candles_without_evaluation(exchange_code=exchange_code, as_of=as_of):
            liveness.show_worker_alive(now=timezone.now())
            with guarded("evaluation", f"{exchange_code} instrument {instrument_id}"):
                evaluate_close(instrument=instruments[instrument_id], candle_open_time=open_time, as_of=as_of)


@shared_task
def record_outcomes() -> None:
    """Every signal that has ended since; a signal is followed on its own exchange's clock."""
    from signals.services import outcomes, shadows, stops  # noqa: PLC0415

    now, code = timezone.now(), "instrument__exchange__code"
    open_signals = Signal.objects.filter(outcome__isnull=True).order_by().values_list(code, flat=True)
    open_shadows = ShadowOutcome.objects.filter(recorded_at=None).order_by().values_list(code, flat=True)
    for exchange_code, as_of in _times(sorted({*open_signals.distinct(), *open_shadows.distinct()})):
        outcomes.record_outcomes(exchange_code=exchange_code, as_of=as_of, now=now)
        stops.record_stops(exchange_code=exchange_code, as_of=as_of, now=now)
        shadows.follow_shadows(exchange_code=exchange_code, as_of=as_of, now=now)


@shared_task
def refresh_volatility() -> None:
    from signals.services import volatility  # noqa: PLC0415

    now = timezone.now()
    for exchange_code, as_of in _times(_active_exchanges()):
        for instrument in Instrument.objects.active().filter(exchange__code=exchange_code):
            liveness.show_worker_alive(now=timezone.now())
            with guarded("volatility", f"{exchange_code} {instrument}"):
                volatility.refresh_volatility(instrument=instrument, as_of=as_of, now=now)


@shared_task
def refresh_forests() -> None:
    from signals.services import anomalies  # noqa: PLC0415

    now = timezone.now()
    for exchange_code, as_of in _times(_active_exchanges()):
        for instrument in Instrument.objects.active().filter(exchange__code=exchange_code):
            liveness.show_worker_alive(now=timezone.now())
            with guarded("anomaly forests", f"{exchange_code} {instrument}"):
                anomalies.refresh_forest(instrument=instrument, as_of=as_of, now=now)


@shared_task
def refresh_partners() -> None:
    from signals.services import pairing  # noqa: PLC0415

    now = timezone.now()
    for exchange_code, as_of in _times(_active_exchanges()):
        pairing.refresh_partners(exchange_code=exchange_code, as_of=as_of, now=now)


@shared_task
def refresh_policies() -> None:
    from signals.services import policy_choices  # noqa: PLC0415

    now = timezone.now()
    for exchange_code, as_of in _times(_active_exchanges()):
        active = Instrument.objects.active().select_related("exchange")
        for instrument in active.filter(exchange__code=exchange_code):
            liveness.show_worker_alive(now=timezone.now())
            with guarded("policies", f"{exchange_code} {instrument}"):
                policy_choices.refresh_choice(instrument=instrument, as_of=as_of, now=now)


@shared_task
def beat_heart() -> None:
    """Beat sent it and a worker ran it: both are alive."""
    liveness.show_worker_alive(now=timezone.now())
    alarms.look(watching_since=STARTED_AT)


@shared_task
def beat_training() -> None:
    """Beat sent it and the worker for training ran it; while that one is at a job, the job gives the sign."""
    liveness.show_worker_alive(now=timezone.now(), queue="training")


@shared_task
def sweep_jobs() -> None:
    """Those whose process died, and those of which no worker was told."""
    job_sweep.sweep_jobs()


@shared_task
def sign_ledger_head() -> None:
    ledger_heads.sign_daily_head(now=timezone.now())


@shared_task
def forget_old_slots() -> None:
    liveness.forget_old_slots(now=timezone.now())


def _active_exchanges() -> Iterable[str]:
    codes = Instrument.objects.active().values_list("exchange__code", flat=True)
    return codes.order_by(
        "exchange__code"
    ).distinct()  # else by symbol too, each exchange once for each instrument


def _times(exchange_codes: Iterable[str]) -> Iterator[tuple[str, datetime]]:
    """Each with the time of its clock; an exchange whose clock cannot be read is left for the next tick."""
    for exchange_code in exchange_codes:
        try:
            as_of = exchange_time(exchange_code=exchange_code)
        except ProviderError as error:
            logger.warning("no exchange time, its candles wait", exchange=exchange_code, error=str(error))
            continue
        yield exchange_code, as_of
