"""A claimed row on its way to Telegram: what it says, the picture it brings, the one call."""

from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from notifications.clients.telegram import TelegramClient
from notifications.services.message.compose import Message, compose
from notifications.services.sender import settling
from notifications.services.sender.claiming import Claimed
from notifications.services.sender.settling import Sent

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`picture`: Telegram's file id, or the bytes of a PNG that Telegram does not know yet."""

    chat_id: int
    message: Message
    picture: str | bytes | None = None


async def prepare(pool: AsyncConnectionPool[AsyncConnection[Any]], row: Claimed) -> Outgoing:
    """All that is to be read before the call; a picture that cannot be read now leaves the text."""
    message = compose(row.draft)
    if not message.with_picture or row.picture_id is None:
        return Outgoing(row.chat_id, message)
    if row.file_id:
        return Outgoing(row.chat_id, message, row.file_id)
    try:
        async with pool.connection() as connection:
            picture = await settling.picture(connection, picture_id=row.picture_id)
    except OperationalError as error:
        logger.warning("no picture, the database is away", delivery=str(row.public_id), error=str(error))
        picture = None
    return Outgoing(row.chat_id, message, picture)


async def transmit(client: TelegramClient, outgoing: Outgoing) -> Sent:
    """Call once. Raises TelegramError."""
    message = outgoing.message
    if outgoing.picture is None:
        message_id = await client.send_message(
            chat_id=outgoing.chat_id,
            text=message.text,
            html=message.is_html,
            silent=message.is_silent,
            buttons=message.buttons,
            reply_to=message.reply_to,
        )
        return Sent(message_id)
    message_id, file_id = await client.send_photo(
        chat_id=outgoing.chat_id,
        photo=outgoing.picture,
        caption=message.text,
        html=message.is_html,
        silent=message.is_silent,
        buttons=message.buttons,
    )
    return Sent(message_id, file_id)
