"""What a visitor does in a chat: open it, write, press a button, block the bot; each becomes an update."""

import asyncio

from copilot_project.sandbox.telegram.chats import Chat, Message
from copilot_project.sandbox.telegram.errors import TelegramError, bad_request
from copilot_project.sandbox.telegram.html import find_entities
from copilot_project.sandbox.telegram.methods import Bot
from copilot_project.sandbox.telegram.stars import CHECKOUT_SECONDS


async def write(bot: Bot, chat: Chat, text: str) -> dict[str, object]:
    """A message from the visitor. Returns the update. Raises TelegramError for an empty text."""
    text = text.strip()
    if not text:
        raise bad_request("message text is empty")
    message: Message = {
        "message_id": bot.chats.next_message_id(),
        "from": chat.as_user(),
        "chat": chat.as_chat(),
        "date": bot.now(),
        "text": text,
    }
    entities = find_entities(text)
    if entities:
        message["entities"] = entities
    await bot.chats.hear(chat, message)
    return bot.updates.push(chat.id, "message", message)


async def press(bot: Bot, chat: Chat, message_id: int, data: str) -> dict[str, object]:
    """A pressed button. Returns the update. Raises TelegramError when the message has no such button."""
    message = chat.message(message_id)
    if data not in _button_data(message):
        raise TelegramError(400, "Bad Request: BUTTON_DATA_INVALID")
    query: dict[str, object] = {
        "id": bot.chats.next_callback_id(chat),
        "from": chat.as_user(),
        "message": message,
        "chat_instance": str(chat.id * 7919),
        "data": data,
    }
    return bot.updates.push(chat.id, "callback_query", query)


async def pay(bot: Bot, chat: Chat, message_id: int) -> dict[str, object]:
    """The visitor pays an invoice. Returns what came of it. Raises TelegramError for a message that is none."""
    invoice = chat.message(message_id).get("invoice")
    payload = bot.stars.invoices.get(message_id)
    if not isinstance(invoice, dict) or payload is None:
        raise bad_request("INVOICE_INVALID")
    stars = int(str(invoice["total_amount"]))
    query_id, answered = bot.stars.ask()
    query: dict[str, object] = {
        "id": query_id,
        "from": chat.as_user(),
        "currency": "XTR",
        "total_amount": stars,
        "invoice_payload": payload,
    }
    bot.updates.push(chat.id, "pre_checkout_query", query)
    try:
        problem = await asyncio.wait_for(answered, CHECKOUT_SECONDS)
    except TimeoutError:
        bot.stars.waiting.pop(query_id, None)
        return {"paid": False, "problem": "The bot did not answer in time."}
    if problem:
        return {"paid": False, "problem": problem}
    payment = bot.stars.charge(chat.id, stars, payload)
    message: Message = {
        "message_id": bot.chats.next_message_id(),
        "from": chat.as_user(),
        "chat": chat.as_chat(),
        "date": bot.now(),
        "successful_payment": payment,
    }
    await bot.chats.hear(chat, message)
    bot.updates.push(chat.id, "message", message)
    return {"paid": True, "charge": payment["telegram_payment_charge_id"]}


async def set_blocked(bot: Bot, chat: Chat, *, blocked: bool) -> dict[str, object]:
    """The visitor blocks or unblocks the bot. Returns the update."""
    await bot.chats.block(chat, blocked=blocked)
    kicked = {"status": "kicked", "user": bot.user(), "until_date": 0}
    member = {"status": "member", "user": bot.user()}
    change: dict[str, object] = {
        "chat": chat.as_chat(),
        "from": chat.as_user(),
        "date": bot.now(),
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }
    return bot.updates.push(chat.id, "my_chat_member", change)


def _button_data(message: Message) -> set[str]:
    markup = message.get("reply_markup")
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    return {str(button["callback_data"]) for row in rows for button in row if "callback_data" in button}
