"""Probes: /livez says that this process answers, /readyz that the whole system works.

Nobody needs a login to ask; the answers hold names and ages, never rows. An engaged kill switch is told,
and fails nothing: the system works as somebody wants it, and the console must stay in reach to re-arm it.
"""

from datetime import datetime, timedelta

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from research.selectors.console import Life, ProcessLife, process_lives, sender_state
from signals.models import ScheduledSlot
from signals.selectors import sending_allowed

REDIS_PATIENCE_SECONDS = 2
PROBE_KEY, PROBE_SECONDS = "cache:readyz", 60  # within what the cache's own user may write
# A task may wait that long behind others; that the worker works at all is told by its heartbeat.
LEAST_PATIENCE = timedelta(seconds=60)
START_PATIENCE = timedelta(minutes=2)
# Slower entries may be older than two periods after a night switched off; the quick ones prove the same.
WATCHED_UP_TO_SECONDS = 60

Checks = dict[str, str]
OK, STARTING = "ok", "starting"
STARTING_WORDS = {STARTING, str(Life.UNSEEN)}

log = structlog.get_logger(__name__)
_told_last: dict[str, dict[str, str]] = {}


@never_cache
@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every check says ok, else 503; the body names each check and what is wrong."""
    checks, told = readiness(now=timezone.now())
    ready = all(answer == OK for answer in checks.values())
    body = {"status": OK if ready else "not ready", "checks": checks} | told
    tell_the_log(checks)
    answer = JsonResponse(body, status=200 if ready else 503)
    answer._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  (Django's mark: else an error a second)
    return answer


def tell_the_log(checks: Checks) -> None:
    """A line when something changes: what starts is no error."""
    wrong = {name: answer for name, answer in checks.items() if answer != OK}
    # Ages grow with each look.
    shape = {name: answer.split(",")[0] for name, answer in wrong.items()}
    if shape == _told_last.get("wrong"):
        return
    _told_last["wrong"] = shape
    if not wrong:
        log.info("ready")
    elif set(shape.values()) <= STARTING_WORDS:
        log.info("starting", waits_for=", ".join(wrong))
    else:
        log.warning("not ready", **wrong)


def readiness(*, now: datetime) -> tuple[Checks, dict[str, str]]:
    """What must be well, and what is only told."""
    checks = {"redis": redis_answer(settings.REDIS_URL), "cache": redis_answer(settings.CACHE_URL)}
    told: Checks = {}
    try:
        checks |= {"database": database_answer(), "migrations": migrations_answer()}
        if checks["migrations"] == OK:
            checks |= process_answers(now=now) | {"schedule": schedule_answer(now=now)}
            told["kill_switch"] = "armed" if sending_allowed() else "engaged"
    except (DatabaseError, InterfaceError) as error:
        checks["database"] = f"no answer ({type(error).__name__})"
    return checks, told


def migrations_answer() -> str:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(waiting)} not applied: run manage.py migrate" if waiting else OK


def redis_answer(url: str) -> str:
    """By writing: a Redis whose memory or disk is full still answers a ping, and takes nothing."""
    patience = {"socket_timeout": REDIS_PATIENCE_SECONDS, "socket_connect_timeout": REDIS_PATIENCE_SECONDS}
    try:
        with redis.Redis.from_url(url, **patience) as client:
            client.set(PROBE_KEY, 1, ex=PROBE_SECONDS)
    except redis.ResponseError as error:
        return f"takes no writes ({type(error).__name__})"
    except redis.RedisError as error:
        return f"no answer ({type(error).__name__})"
    return OK


def database_answer() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")
        return "takes no writes" if cursor.fetchone() == ("on",) else OK


def process_answers(*, now: datetime) -> Checks:
    """Beat, worker and sender by their heartbeats; a sender whose token Telegram refuses lives and sends nothing."""
    answers = {life.process.heartbeat: answer_of(life, now=now) for life in process_lives(now=now)}
    if halted := sender_state().halted_reason:
        answers["sender"] = f"halted: {halted}"
    return answers


def answer_of(life: ProcessLife, *, now: datetime) -> str:
    """A heartbeat from before this start is no sign of this start's processes."""
    started_at = settings.STARTED_AT
    if started_at and life.age is not None and now - life.age < started_at:
        return STARTING
    return OK if life.life is Life.ALIVE else f"{life.life}{_aged(life.age)}"


def schedule_answer(*, now: datetime) -> str:
    """Whether each quick entry of the schedule ran in its last two periods, or in the last minute.

    One that never ran is not due yet.
    """
    periods = watched_periods()
    newest = (
        ScheduledSlot.objects.filter(name__in=periods).values_list("name").annotate(Max("slot")).order_by()
    )
    began = settings.STARTED_AT  # what came due while nothing ran is not late
    first = began + START_PATIENCE if began else None
    since = {name: max(slot, first) if first else slot for name, slot in newest}
    late = [name for name, slot in since.items() if now - slot > max(2 * periods[name], LEAST_PATIENCE)]
    return f"late: {', '.join(sorted(late))}" if late else OK


def watched_periods() -> dict[str, timedelta]:
    """Names as `RecordedTask.scheduled_name` writes them, with their periods."""
    return {
        f"{entry['task']}({','.join(entry['args'])})": timedelta(seconds=entry["schedule"])
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if entry["schedule"] <= WATCHED_UP_TO_SECONDS
    }


def _aged(age: timedelta | None) -> str:
    return f", {age.total_seconds():.0f} s old" if age else ""
