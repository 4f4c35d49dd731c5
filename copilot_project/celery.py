"""Celery: wake-ups and schedules. What must not be lost is a row in Postgres, never a message."""

import os
import signal
import traceback
from typing import Any

import structlog
from celery import Celery, Task
from celery import signals as celery_signals
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils import timezone
from django_structlog.celery.receivers import CeleryReceiver

from copilot_project import worker_metrics  # noqa: F401  (its receivers serve the worker's metrics)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot_project.settings")
# Django's checks load every page; they are `manage.py check`'s business and the tests'.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("copilot", task_cls="copilot_project.celery:RecordedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(
    ["signals.market", "signals", "users", "notifications", "autopilot", "research", "copilot_project"]
)


logger = structlog.get_logger(__name__)

# Between the limit, at which a job is asked to end, and the end of its process.
SECONDS_TO_END = 30


class RecordedTask(Task):
    """Every task binds its id to the logs; a scheduled one also claims its slot and leaves a heartbeat.

    The schedule passes the period as the header `period_seconds`. A slot is the moment rounded down to
    the period; its unique row makes a second beat, a restart or a redelivery harmless. Every task that a
    worker begins is a sign of that worker's life.

    A task with a `job_kind` is long: its message names a row of `signals.Job`, and its function gets a JobRun
    (`signals.services.jobs`). Called directly it is the plain function.
    """

    abstract = True
    job_kind: str | None = None
    job_queue = ""
    job_time_limit_seconds = 3_600
    job_resumable = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A job is acknowledged when it begins: its row, not its message, says whether it is to run again."""
        super().__init_subclass__(**kwargs)
        if cls.job_kind:
            cls.job_queue = cls.__dict__["queue"]
            del cls.queue  # Celery deprecates the attribute; whoever starts a job names its queue
            cls.acks_late = cls.reject_on_worker_lost = False
            cls.soft_time_limit = cls.job_time_limit_seconds
            cls.time_limit = cls.job_time_limit_seconds + SECONDS_TO_END

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from signals.services import liveness  # noqa: PLC0415  (apps are not loaded when celery.py is imported)

        period = (self.request.headers or {}).get("period_seconds")
        delivery = self.request.delivery_info or {}
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        liveness.show_worker_alive(now=timezone.now(), queue=delivery.get("routing_key", ""))
        with structlog.contextvars.bound_contextvars(task_id=self.request.id, task=self.name):
            if self.job_kind:
                return self.run_job(*args)
            if not period:
                return super().__call__(*args, **kwargs)
            started_at = timezone.now()
            slot = liveness.claim_slot(
                name=self.scheduled_name(args, kwargs),
                period_seconds=int(period),
                redelivered=bool(delivery.get("redelivered")),
                now=started_at,
            )
            if slot is None:
                return None
            result = super().__call__(*args, **kwargs)
            liveness.finish_slot(slot=slot, period_seconds=int(period), now=timezone.now())
            return result

    def run_job(self, job_id: str) -> None:
        """Run the job if it is still to be run; a message that comes again finds that it is not."""
        from signals.services import jobs  # noqa: PLC0415

        if job := jobs.take_lease(job_id=job_id):
            jobs.carry_out(job=job, work=self.run_within_limit)
        else:
            logger.info("job not begun: it runs already or has ended", job=job_id)

    def run_within_limit(self, run: Any) -> Any:
        try:
            return super().__call__(run)
        except SoftTimeLimitExceeded as error:
            raise TimeoutError(
                f"took longer than its limit of {self.job_time_limit_seconds} seconds"
            ) from error

    def on_failure(
        self, exc: BaseException, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any], einfo: Any
    ) -> None:
        """What was stopped while it imported leaves modules that are half there: nothing that needs them can go on."""
        if stopped_in_an_import(exc):
            logger.error("stopped while it loaded code: this process ends, another follows", task=self.name)
            os.kill(os.getpid(), signal.SIGKILL)

    def scheduled_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Tells one schedule entry of a task from another: sync_candles(1h) from sync_candles(4h)."""
        details = ",".join(str(value) for value in (*args, *kwargs.values()))
        return f"{self.name}({details})"


def stopped_in_an_import(error: BaseException) -> bool:
    """Whether the time limit of a task came while a module was being loaded."""
    while error.__cause__ is not None:
        error = error.__cause__
    if not isinstance(error, SoftTimeLimitExceeded):
        return False
    codes = (frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__))
    # Python takes its own frames out of most tracebacks; that of the module's body stays.
    return any(
        code.co_name == "<module>" or code.co_filename.startswith("<frozen importlib") for code in codes
    )


@celery_signals.setup_logging.connect
def keep_django_logging(**kwargs: Any) -> None:
    """A receiver on this signal stops Celery from replacing the handlers that settings made."""
    settings.LOGGING_CONFIG  # noqa: B018  (settings are set up by reading them)


def is_for_training(hostname: str) -> bool:
    return hostname.startswith("training@")


@celery_signals.worker_init.connect
def load_before_forking(sender: Any, **kwargs: Any) -> None:
    """The first signal must not wait for matplotlib and compiled code in each of the children."""
    if is_for_training(sender.hostname):
        return
    from notifications.services import drawing  # noqa: F401, PLC0415  (only a worker loads matplotlib)
    from signals.services import evaluation, outcomes  # noqa: F401, PLC0415


IDS = CeleryReceiver()
# Only this of django-structlog's receivers: RecordedTask and Celery tell what becomes of a task.
celery_signals.task_prerun.connect(IDS.receiver_task_prerun)


@celery_signals.worker_ready.connect
def catch_up(sender: Any, **kwargs: Any) -> None:
    """A worker that starts, first of all or after a crash, does not wait for the next tick."""
    if is_for_training(sender.hostname):
        return
    for timeframe in ("1d", "4h", "1h"):
        app.send_task("signals.market.tasks.sync_candles", [timeframe], queue="market")
    app.send_task("signals.market.tasks.refresh_rules", queue="market")
