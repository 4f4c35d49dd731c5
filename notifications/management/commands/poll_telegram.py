"""`manage.py poll_telegram`: fetch updates into the inbox, for those without a public address."""

import asyncio
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.services.inbox import store_update
from notifications.services.stars import checkout_answer
from notifications.tasks import wake_for_update

logger = structlog.get_logger(__name__)

WAIT_SECONDS = 10
PAUSE_SECONDS = 2.0


class Command(BaseCommand):
    help = "Fetch updates from Telegram until Ctrl-C, instead of a webhook."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TELEGRAM_BOT_TOKEN:
            raise CommandError("TELEGRAM_BOT_TOKEN is not set: write it into .env, see .env.example.")
        offset = 0
        try:
            while True:
                offset = self.poll(offset)
        except KeyboardInterrupt:
            self.stdout.write("Stopped; Telegram keeps what was not fetched.")

    def poll(self, offset: int) -> int:
        """Fetch once and keep what came; return the next offset, which tells Telegram to forget the rest."""
        try:
            updates = asyncio.run(fetch(offset))
        except TelegramError as error:
            if error.failure in (Failure.REFUSED, Failure.BAD_TOKEN):
                raise CommandError(
                    f"Telegram refused: {error}. Is a webhook set? manage.py set_webhook --delete"
                ) from error
            logger.warning("no updates", error=str(error))
            time.sleep(max(PAUSE_SECONDS, error.retry_after_seconds))
            return offset
        for payload in updates:
            try:
                if (answer := checkout_answer(payload)) is not None:
                    asyncio.run(answer_checkout(answer))
                    offset = max(offset, int(payload["update_id"]) + 1)
                    continue
                update_id = store_update(payload=payload, now=timezone.now())
            except (OperationalError, InterfaceError) as error:
                logger.warning("not stored, Telegram brings it again", error=str(error))
                connection.close()
                time.sleep(PAUSE_SECONDS)
                return offset
            if update_id is not None:
                wake_for_update(update_id)
            offset = max(offset, int(payload["update_id"]) + 1)
        return offset


async def answer_checkout(answer: dict[str, Any]) -> None:
    """Without a webhook the question before a payment is answered by a call; a late answer is Telegram's to refuse."""
    async with TelegramClient.configured() as client:
        try:
            await client.answer_checkout(
                query_id=answer["pre_checkout_query_id"], problem=answer.get("error_message", "")
            )
        except TelegramError as error:
            logger.warning("a payment was not let through", error=str(error))


async def fetch(offset: int) -> list[dict[str, Any]]:
    async with TelegramClient.configured() as client:
        return await client.get_updates(offset=offset, wait_seconds=WAIT_SECONDS)
