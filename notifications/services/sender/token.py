"""Whether Telegram knows the bot's token, asked before anything is sent."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from psycopg import AsyncConnection

from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.services.sender import bot

logger = structlog.get_logger(__name__)

STANDBY_POLL_SECONDS = 1.0


async def check_token(
    client: TelegramClient, leader: AsyncConnection[Any], is_stopping: Callable[[], bool]
) -> None:
    """A halt for a bad token ends when, at a start, Telegram knows the token again.

    Whoever is halted has nothing else to do than to ask until there is an answer; a pause is kept.
    """
    while not is_stopping():
        if not await bot.is_paused(leader) and await asked_for_name(client, leader):
            return
        if not await bot.is_halted(leader):
            return
        await bot.stand_by(leader)
        await asyncio.sleep(STANDBY_POLL_SECONDS)


async def asked_for_name(client: TelegramClient, leader: AsyncConnection[Any]) -> bool:
    """Whether Telegram said if the token is good."""
    try:
        name = await client.username()
    except TelegramError as error:
        if error.retry_after_seconds:
            await bot.pause_bot(leader, seconds=error.retry_after_seconds)
        if error.failure is Failure.BAD_TOKEN:
            logger.error(  # noqa: TRY400  (a traceback tells the operator nothing)
                "Telegram refuses the bot token: set TELEGRAM_BOT_TOKEN and restart the sender"
            )
        return error.failure is Failure.BAD_TOKEN
    cursor = await leader.execute(
        "UPDATE notifications_senderstate SET halted_reason = '' WHERE halted_reason <> ''"
    )
    if cursor.rowcount:
        logger.warning("Telegram knows the token again, sending goes on", bot=name)
    return True
