"""`manage.py set_webhook`: tell Telegram where to bring updates."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import TelegramError
from notifications.services.bot.menu import announce_commands


class Command(BaseCommand):
    help = "Register the webhook with Telegram; --delete takes it away, as poll_telegram needs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url", default=f"{settings.PUBLIC_URL}/telegram/webhook", help="default: below PUBLIC_URL"
        )
        parser.add_argument("--delete", action="store_true", help="remove the webhook")

    def handle(self, *args: Any, **options: Any) -> None:
        url = "" if options["delete"] else options["url"]
        if not settings.TELEGRAM_BOT_TOKEN:
            raise CommandError("TELEGRAM_BOT_TOKEN is not set: write it into .env, see .env.example.")
        if not options["delete"] and not settings.TELEGRAM_WEBHOOK_SECRET:
            raise CommandError("TELEGRAM_WEBHOOK_SECRET is not set: write it into .env, see .env.example.")
        if not options["delete"] and not url:
            raise CommandError("--url is empty; --delete removes the webhook.")
        try:
            asyncio.run(register(url))
        except TelegramError as error:
            raise CommandError(f"The webhook stays as it was: {error}") from error
        self.stdout.write(f"Telegram brings updates to {url}" if url else "The webhook is removed.")


async def register(url: str) -> None:
    async with TelegramClient.configured() as client:
        await client.set_webhook(url=url, secret=settings.TELEGRAM_WEBHOOK_SECRET)
    await announce_commands()
