"""Structured logs: readable lines on a terminal, one JSON object a line in production."""

import logging.config
import os
import sys
from typing import Any

# With rich, which only development has, structlog loads it and pygments at once: a twentieth of a process's start.
# It would write tracebacks with the value of every local variable, secrets too; ours are plain.
WITHOUT_RICH = "rich" not in sys.modules and sys.modules.setdefault("rich", None) is None  # type: ignore[arg-type]
import structlog  # noqa: E402

if WITHOUT_RICH:
    del sys.modules["rich"]

SHARED_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


LONGEST_REFUSAL = 300
REFUSERS = ("django.request", "django.security")


def shorten_refusals(record: logging.LogRecord) -> bool:
    """What a stranger can cause costs a line: a bad Host or a 403 came with a traceback of 43 KB."""
    if record.name.startswith(REFUSERS) and getattr(record, "status_code", 500) < 500:
        record.exc_info = record.exc_text = None
        record.msg, record.args = record.getMessage()[:LONGEST_REFUSAL], ()
    return True


def shows_colours() -> bool:
    """On a terminal; `manage.py up`, which stands between, says so by FORCE_COLOR."""
    return sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))


def logging_settings(*, as_json: bool) -> dict[str, Any]:
    """The dictConfig of every process: structlog formats its own records and the standard library's."""
    # Plain tracebacks: structlog's own tell the value of every local variable, secrets too.
    lines = structlog.dev.ConsoleRenderer(
        pad_event_to=0, colors=shows_colours(), exception_formatter=structlog.dev.plain_traceback
    )
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer() if as_json else lines
    tail: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        tail.append(structlog.processors.format_exc_info)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structlog": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED_PROCESSORS,
                "processors": [*tail, renderer],
            }
        },
        "filters": {"refusals": {"()": lambda: shorten_refusals}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structlog",
                "filters": ["refusals"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # They log whole URLs, the first at DEBUG, the others at INFO, and Telegram's carry the bot token.
            "telegram.Bot": {"level": "INFO"},
            "httpx": {"level": "WARNING"},
            "ccxt": {"level": "WARNING"},  # at DEBUG it would log signed requests with their headers
            "httpcore": {"level": "WARNING"},
            # It binds ids. Its own lines would repeat every request with its whole URL, and each traceback.
            "django_structlog": {"level": "CRITICAL"},
            # A server that is down is reported by the query that needs it, not by each attempt of the pool.
            "psycopg.pool": {"level": "ERROR"},
            # A line for every tick of the schedule would bury what matters; failures are still logged.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.worker.request": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django.server": {"handlers": ["stderr"], "propagate": False},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Install the configuration for the standard library and for structlog."""
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[*SHARED_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
