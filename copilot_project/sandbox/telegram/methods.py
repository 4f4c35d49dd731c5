"""The Bot API methods that the sandbox knows."""

import re
import secrets
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from copilot_project.sandbox.telegram.call import Call
from copilot_project.sandbox.telegram.chats import Chat, Chats, Message
from copilot_project.sandbox.telegram.errors import bad_request
from copilot_project.sandbox.telegram.html import find_entities, parse_html, utf16_length
from copilot_project.sandbox.telegram.photos import Photos
from copilot_project.sandbox.telegram.send_limits import SendGate
from copilot_project.sandbox.telegram.stars import Stars, read_invoice
from copilot_project.sandbox.telegram.webhook import Updates

MAX_COMMANDS, MAX_DESCRIPTION = 100, 256
COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}")
MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_PHOTO_BYTES = 10 * 1024 * 1024
MAX_SIDES, MAX_RATIO = 10_000, 20  # width + height in pixels, the longer by the shorter
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass
class Bot:
    """The one bot of this sandbox."""

    token: str
    chats: Chats
    gate: SendGate
    updates: Updates
    photos: Photos
    documents: Photos
    # By scope and language, as setMyCommands left them.
    stars: Stars = field(default_factory=Stars)
    commands: dict[tuple[str, str], list[dict[str, object]]] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    def now(self) -> int:
        """What messages are dated with, in whole seconds."""
        return int(self.clock())

    def user(self) -> dict[str, object]:
        """Telegram's User object of the bot."""
        user_id = int(self.token.split(":")[0]) if self.token.split(":")[0].isdigit() else 100200300
        return {"id": user_id, "is_bot": True, "first_name": "CoPilot", "username": "copilot_sandbox_bot"}


def formatted(call: Call, name: str, limit: int) -> tuple[str, list[dict[str, object]]]:
    """Text and entities of a parameter. Raises TelegramError when too long or not parsable."""
    source, mode = call.text(name).strip(), call.text("parse_mode").lower()
    if mode == "html":
        text, entities = parse_html(source)
        entities = entities + find_entities(text)
    elif mode:
        raise bad_request("unsupported parse_mode")
    else:
        given = call.parsed("entities" if name == "text" else "caption_entities")
        text, entities = source, list(given) if isinstance(given, list) else find_entities(source)
    if utf16_length(text) > limit:
        raise bad_request("message is too long" if name == "text" else "message caption is too long")
    return text, sorted(entities, key=_position)


def _position(entity: dict[str, object]) -> tuple[int, int]:
    return int(str(entity["offset"])), -int(str(entity["length"]))


def _answered(chat: Chat, call: Call) -> dict[str, object]:
    """The message that is answered, without the one which that answered. Raises TelegramError when it is gone."""
    asked = call.parsed("reply_parameters")
    if not isinstance(asked, dict):
        return {}
    for message in chat.messages:
        if message["message_id"] == asked.get("message_id"):
            quoted = {name: value for name, value in message.items() if name != "reply_to_message"}
            return {"reply_to_message": quoted}
    if not asked.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    return {}


def _new_message(
    bot: Bot, chat: Chat, body: dict[str, object], keyboard: dict[str, object] | None
) -> Message:
    start = {"message_id": bot.chats.next_message_id(), "from": bot.user(), "chat": chat.as_chat()}
    filled = {name: value for name, value in body.items() if value or name == "text"}
    return start | {"date": bot.now()} | filled | ({"reply_markup": keyboard} if keyboard else {})


async def _accept(bot: Bot, call: Call, message: Message) -> Message:
    await bot.chats.accept(
        {
            "method": call.method,
            "chat_id": call.chat_id,
            "text": message.get("text", message.get("caption", "")),
            "disable_notification": call.flag("disable_notification"),
            "reply_markup": message.get("reply_markup"),
            "message_id": message["message_id"],
            "message": message,
        }
    )
    return message


async def send_message(bot: Bot, call: Call) -> Message:
    chat = _addressee(bot, call)
    text, entities = formatted(call, "text", MAX_TEXT)
    if not text.strip():
        raise bad_request("message text is empty")
    keyboard, answered = call.keyboard(), _answered(chat, call)
    bot.gate.admit(chat.id, time.monotonic())
    body: dict[str, object] = {"text": text, "entities": entities} | answered
    return await _accept(bot, call, _new_message(bot, chat, body, keyboard))


async def send_photo(bot: Bot, call: Call) -> Message:
    chat = _addressee(bot, call)
    caption, entities = formatted(call, "caption", MAX_CAPTION)
    file_id, content = _photo(bot, call)
    width, height = _size(content)
    keyboard, answered = call.keyboard(), _answered(chat, call)
    bot.gate.admit(chat.id, time.monotonic())
    bot.photos.keep(file_id, content)
    photo = {"file_id": file_id, "file_unique_id": file_id[:16], "file_size": len(content)}
    body: dict[str, object] = {
        "photo": [photo | {"width": width, "height": height}],
        "caption": caption,
        "caption_entities": entities,
        **answered,
    }
    return await _accept(bot, call, _new_message(bot, chat, body, keyboard))


def _photo(bot: Bot, call: Call) -> tuple[str, bytes]:
    """Id and content of a picture that was uploaded, or sent before. Raises TelegramError."""
    named = call.text("photo")
    content = call.files.get("photo") or call.files.get(named.removeprefix("attach://"))
    if content:
        if len(content) > MAX_PHOTO_BYTES:
            raise bad_request(f"file of size {len(content)} bytes is too big for a photo")
        return secrets.token_urlsafe(24), content
    if not named:
        raise bad_request("there is no photo in the request")
    stored = bot.photos.find(named)
    if stored is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return named, stored


async def edit_message_text(bot: Bot, call: Call) -> Message:
    old = _to_edit(bot, call)
    text, entities = formatted(call, "text", MAX_TEXT)
    if not text.strip():
        raise bad_request("message text is empty")
    return await _edit(bot, call, old, {"text": text, "entities": entities})


async def edit_message_reply_markup(bot: Bot, call: Call) -> Message:
    return await _edit(bot, call, _to_edit(bot, call), {})


async def _edit(bot: Bot, call: Call, old: Message, body: dict[str, object]) -> Message:
    keyboard = call.keyboard()
    new = {name: value for name, value in (old | body).items() if name not in ("reply_markup", "edit_date")}
    if keyboard and keyboard["inline_keyboard"]:
        new["reply_markup"] = keyboard
    if new == {name: value for name, value in old.items() if name != "edit_date"}:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    return await _accept(bot, call, new | {"edit_date": bot.now()})


def _to_edit(bot: Bot, call: Call) -> Message:
    message = _addressee(bot, call).message(call.number("message_id"))
    if message["from"] != bot.user():
        raise bad_request("message can't be edited")
    return message


def _addressee(bot: Bot, call: Call) -> Chat:
    if not call.text("chat_id"):
        raise bad_request("chat_id is empty")
    return bot.chats.reachable(call.text("chat_id"))


async def answer_callback_query(bot: Bot, call: Call) -> bool:
    bot.chats.toast(call.text("callback_query_id"), call.text("text"), alert=call.flag("show_alert"))
    return True


async def get_me(bot: Bot, call: Call) -> dict[str, object]:
    abilities = {
        "can_join_groups": False,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }
    return bot.user() | abilities


async def set_webhook(bot: Bot, call: Call) -> bool:
    bot.updates.set_webhook(call.text("url"), call.text("secret_token"))
    if call.flag("drop_pending_updates"):
        bot.updates.drop_pending()
    return True


async def delete_webhook(bot: Bot, call: Call) -> bool:
    bot.updates.set_webhook("", "")
    if call.flag("drop_pending_updates"):
        bot.updates.drop_pending()
    return True


async def get_webhook_info(bot: Bot, call: Call) -> dict[str, object]:
    return bot.updates.info()


async def get_updates(bot: Bot, call: Call) -> list[dict[str, object]]:
    limit = min(max(call.number("limit", 100), 1), 100)
    return await bot.updates.fetch(call.number("offset"), limit, min(call.number("timeout"), 50))


async def send_document(bot: Bot, call: Call) -> Message:
    chat = _addressee(bot, call)
    caption, entities = formatted(call, "caption", MAX_CAPTION)
    named = call.text("document")
    content = call.files.get("document") or call.files.get(named.removeprefix("attach://"))
    if not content:
        raise bad_request("there is no document in the request")
    bot.gate.admit(chat.id, time.monotonic())
    file_id = secrets.token_urlsafe(24)
    bot.documents.keep(file_id, content)
    name = call.names.get("document") or call.names.get(named.removeprefix("attach://")) or "file"
    document = {"file_id": file_id, "file_unique_id": file_id[:16], "file_size": len(content)}
    body: dict[str, object] = {
        "document": document | {"file_name": name},
        "caption": caption,
        "caption_entities": entities,
    }
    return await _accept(bot, call, _new_message(bot, chat, body, call.keyboard()))


async def send_invoice(bot: Bot, call: Call) -> Message:
    chat = _addressee(bot, call)
    invoice, payload = read_invoice(call)
    bot.gate.admit(chat.id, time.monotonic())
    pay: dict[str, object] = {
        "inline_keyboard": [[{"text": f"Pay ⭐️{invoice['total_amount']}", "pay": True}]]
    }
    message = _new_message(bot, chat, {"invoice": invoice}, call.keyboard() or pay)
    message.pop("text", None)
    bot.stars.invoices[int(str(message["message_id"]))] = payload
    return await _accept(bot, call, message)


async def answer_pre_checkout_query(bot: Bot, call: Call) -> bool:
    bot.stars.answer(
        call.text("pre_checkout_query_id"), ok=call.flag("ok"), problem=call.text("error_message")
    )
    return True


async def refund_star_payment(bot: Bot, call: Call) -> bool:
    user_id, charge_id = call.number("user_id"), call.text("telegram_payment_charge_id")
    charge = bot.stars.refund(user_id, charge_id)
    chat = bot.chats.get(user_id)
    message: Message = {
        "message_id": bot.chats.next_message_id(),
        "from": chat.as_user(),
        "chat": chat.as_chat(),
        "date": bot.now(),
        "refunded_payment": charge,
    }
    await bot.chats.hear(chat, message)
    bot.updates.push(chat.id, "message", message)
    return True


async def set_my_commands(bot: Bot, call: Call) -> bool:
    given = call.parsed("commands")
    if not isinstance(given, list) or len(given) > MAX_COMMANDS:
        raise bad_request("can't parse commands JSON object")
    for each in given:
        if not isinstance(each, dict) or not COMMAND_NAME.fullmatch(str(each.get("command", ""))):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(each.get("description", ""))) <= MAX_DESCRIPTION:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    bot.commands[_scope(call)] = given
    return True


async def get_my_commands(bot: Bot, call: Call) -> list[dict[str, object]]:
    return bot.commands.get(_scope(call), [])


def _scope(call: Call) -> tuple[str, str]:
    scope = call.parsed("scope")
    kind = str(scope.get("type", "default")) if isinstance(scope, dict) else "default"
    return kind, call.text("language_code")


async def accept_silently(bot: Bot, call: Call) -> bool:
    return True


def _size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG. Raises TelegramError for what is none and for a shape that Telegram refuses."""
    if not content.startswith(PNG_SIGNATURE) or len(content) < 24:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = struct.unpack(">II", content[16:24])
    if width + height > MAX_SIDES or max(width, height) > MAX_RATIO * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return int(width), int(height)


Method = Callable[[Bot, Call], Awaitable[object]]

METHODS: dict[str, Method] = {
    "getme": get_me,
    "sendmessage": send_message,
    "sendphoto": send_photo,
    "editmessagetext": edit_message_text,
    "editmessagereplymarkup": edit_message_reply_markup,
    "answercallbackquery": answer_callback_query,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "getupdates": get_updates,
    "senddocument": send_document,
    "sendinvoice": send_invoice,
    "answerprecheckoutquery": answer_pre_checkout_query,
    "refundstarpayment": refund_star_payment,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "sendchataction": accept_silently,
}
