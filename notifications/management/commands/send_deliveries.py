"""`manage.py send_deliveries`: the process that sends what is due, until SIGTERM."""

import asyncio
import os
import signal
from argparse import ArgumentParser
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from prometheus_client import start_http_server

from notifications.clients.telegram import CALL_SECONDS, TelegramClient
from notifications.services.sender.conninfo import conninfo
from notifications.services.sender.loop import Sender, SenderOptions, in_flight_at
from notifications.services.sender.pace import MESSAGES_PER_SECOND, SECONDS_PER_CHAT, Pace
from notifications.services.staff_alarms import tell_staff

logger = structlog.get_logger(__name__)

TELL_EVERY_SECONDS = 10


class Command(BaseCommand):
    help = (
        "Send deliveries when they are due. Long-lived; a second one takes over when the first ends or dies."
    )
    requires_system_checks = ()  # they load every page; a sender that died is back sooner without

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--per-second", type=int, default=planned_rate(), help="messages overall")
        parser.add_argument(
            "--seconds-per-chat", type=float, default=SECONDS_PER_CHAT, help="pause in one chat"
        )
        parser.add_argument(
            "--lease-seconds",
            type=float,
            default=30.0,
            help="after that a silent sender and its rows count as abandoned",
        )
        parser.add_argument(
            "--in-flight", type=int, help="calls at once; default: a tenth of --per-second, 8 to 100"
        )
        parser.add_argument("--no-metrics", action="store_true", help="open no port for Prometheus")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TELEGRAM_BOT_TOKEN:
            raise CommandError("TELEGRAM_BOT_TOKEN is not set: write it into .env, see .env.example.")
        require_sensible(options)
        if options["lease_seconds"] <= CALL_SECONDS:
            logger.warning("the lease is shorter than the longest call: slow calls will be repeated")
        if not options["no_metrics"]:
            self._serve_metrics()
        pace = Pace(per_second=options["per_second"], seconds_per_chat=options["seconds_per_chat"])
        in_flight = options["in_flight"] or in_flight_at(pace.per_second)
        asyncio.run(send(SenderOptions(conninfo(), options["lease_seconds"], in_flight), pace))

    def _serve_metrics(self) -> None:
        port, host = settings.SENDER_METRICS_PORT, os.environ.get("SENDER_METRICS_HOST", "127.0.0.1")
        try:
            start_http_server(port, addr=host)
        except OSError as error:
            raise CommandError(
                f"cannot serve metrics on {host}:{port} ({error}): set SENDER_METRICS_PORT."
            ) from error


def require_sensible(options: dict[str, Any]) -> None:
    """CommandError for numbers with which nothing would be sent, or without any limit."""
    allowed: dict[str, tuple[float, float]] = {
        "per_second": (1, 100_000),
        "seconds_per_chat": (0, 3_600),
        "lease_seconds": (1, 3_600),
        "in_flight": (1, 1_000),
    }
    for name, (least, most) in allowed.items():
        value = options[name]
        if value is not None and not least <= value <= most:
            flag = "--" + name.replace("_", "-")
            raise CommandError(f"{flag} must be between {least:g} and {most:g}, not {value:g}.")


def planned_rate() -> int:
    """Messages a second: what is paid for, or what is free."""
    return settings.TELEGRAM_PAID_BROADCAST_PER_SECOND or MESSAGES_PER_SECOND


async def send(options: SenderOptions, pace: Pace) -> None:
    paid = settings.TELEGRAM_PAID_BROADCAST_PER_SECOND > 0
    async with TelegramClient.configured(paid_broadcast=paid) as client:
        sender = Sender(client, options, pace)
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, sender.stop)
        telling = asyncio.create_task(tell_alarms())
        try:
            await sender.run()
        finally:
            telling.cancel()


async def tell_alarms() -> None:
    """Beside the sending: whoever else could tell staff may be what the alarm is about. Never returns."""
    while True:
        await asyncio.sleep(TELL_EVERY_SECONDS)
        try:
            await asyncio.to_thread(tell_once)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("alarms cannot be read", error=str(error).strip())


def tell_once() -> None:
    try:
        tell_staff(now=timezone.now())
    finally:
        connection.close()
