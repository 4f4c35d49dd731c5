"""A composed message on its way to Telegram."""

from notifications.clients.telegram import TelegramClient
from notifications.services.message import Message


async def transmit(client: TelegramClient, chat_id: int, message: Message) -> int:
    """Send once; return Telegram's message id. Raises TelegramError."""
    return await client.send_message(
        chat_id=chat_id,
        text=message.text,
        html=message.is_html,
        silent=message.is_silent,
        buttons=message.buttons,
        reply_to=message.reply_to,
    )
