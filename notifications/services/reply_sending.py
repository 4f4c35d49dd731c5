"""Sends an answer, once. Apart from its text, for only workers need the client that does it."""

from time import monotonic

from notifications.clients.aiohttp_request import may_begin
from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.services.message.buttons import chosen_buttons
from notifications.services.reply import AnswerReply, Invoice, Reply, TextReply

FRESH_SECONDS = 0.8


async def send_reply(reply: Reply) -> TelegramError | None:
    """Send once; return what went wrong.

    Whoever calls has just looked at the kill switch: that holds for less than a second.
    """
    if reply.is_switched:
        looked_at = monotonic()
        may_begin.set(lambda: monotonic() - looked_at < FRESH_SECONDS)
    async with TelegramClient.configured() as client:
        try:
            if isinstance(reply, TextReply):
                await _send(client, reply)
            else:
                await _answer(client, reply)
                if reply.followed_by:
                    await _send(client, reply.followed_by)
        except TelegramError as error:
            return error
    return None


async def _send(client: TelegramClient, reply: TextReply | Invoice) -> None:
    if isinstance(reply, Invoice):
        await client.send_invoice(
            chat_id=reply.chat_id,
            title=reply.title,
            description=reply.description,
            payload=reply.payload,
            stars=reply.stars,
        )
        return
    if reply.document:
        await client.send_document(
            chat_id=reply.chat_id,
            name=reply.document.name,
            content=reply.document.content,
            caption=reply.html,
        )
        return
    await client.send_message(chat_id=reply.chat_id, text=reply.html, html=True, rows=reply.rows)


async def _answer(client: TelegramClient, reply: AnswerReply) -> None:
    """The buttons show the answer even where the notice comes too late for Telegram."""
    too_late = None
    try:
        await client.answer_callback(callback_id=reply.callback_id, text=reply.text)
    except TelegramError as error:
        if error.failure is not Failure.REFUSED:
            raise
        too_late = error
    if reply.message_id is not None and reply.delivery_id and reply.answer:
        buttons = chosen_buttons(reply.delivery_id, reply.answer)
        await client.replace_buttons(chat_id=reply.chat_id, message_id=reply.message_id, buttons=buttons)
    if reply.html:
        await _replace(client, reply)
    if too_late and not reply.html:
        raise too_late


async def _replace(client: TelegramClient, reply: AnswerReply) -> None:
    """A message that Telegram lets nobody edit any more is sent anew."""
    if reply.message_id is not None:
        try:
            await client.edit_message(
                chat_id=reply.chat_id, message_id=reply.message_id, text=reply.html, rows=reply.rows
            )
        except TelegramError as error:
            if error.failure is not Failure.REFUSED:
                raise
        else:
            return
    await client.send_message(chat_id=reply.chat_id, text=reply.html, html=True, rows=reply.rows)
