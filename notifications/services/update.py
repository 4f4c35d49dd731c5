"""Telegram's update objects, read down to what we act on. Whatever else they are is nothing to us."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from users.services import link_hash

HASHED = "#"  # no token has it
GONE = ("kicked", "left")
GROUPS = ("group", "supergroup")
# The shape of a token that is typed without a command, and of its hash in our spelling.
TOKEN = re.compile(r"[A-Za-z0-9_-]{32}|#[0-9a-f]{64}")
NAME = re.compile(r"/[A-Za-z0-9_]{1,32}")


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Person(_Read):
    id: int = Field(ge=-(2**63), lt=2**63)
    username: str = ""
    first_name: str = ""
    language_code: str = ""


class _Chat(_Read):
    id: int = Field(ge=-(2**63), lt=2**63)
    type: str = ""


class _Payment(_Read):
    currency: str = ""
    total_amount: int = Field(ge=0, le=2**31 - 1)
    invoice_payload: str = ""
    telegram_payment_charge_id: str = Field(min_length=1, max_length=255)


class _Message(_Read):
    message_id: int
    chat: _Chat
    sender: _Person | None = Field(None, alias="from")
    text: str = ""
    successful_payment: _Payment | None = None
    refunded_payment: _Payment | None = None


class _Callback(_Read):
    id: str
    sender: _Person = Field(alias="from")
    message: _Message | None = None
    data: str = ""


class _Member(_Read):
    status: str


class _MembershipChange(_Read):
    chat: _Chat
    date: int = 0
    new_chat_member: _Member


class _Update(_Read):
    message: _Message | None = None
    callback_query: _Callback | None = None
    my_chat_member: _MembershipChange | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """`/start`, in a private chat by its owner; `token` is empty without one, its hash after `#` from the inbox."""

    chat_id: int
    username: str
    token: str
    first_name: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command in a private chat, by its owner; `command` in small letters, known or not."""

    chat_id: int
    command: str
    argument: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """Text that is no command, in a private chat by its owner; empty where it was a picture or the like."""

    chat_id: int
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that Telegram has taken."""

    chat_id: int
    charge_id: str
    currency: str
    stars: int
    payload: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Refunded:
    chat_id: int
    charge_id: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class GroupAsked:
    """A command in a group, or the bot was put into one."""

    chat_id: int


@dataclass(frozen=True, slots=True)
class Tap:
    """A pressed button. `message_id` is None when the message is too old for Telegram to name it."""

    callback_id: str
    user_id: int
    message_id: int | None
    data: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """The bot was let in or thrown out. `date` is Telegram's, in seconds since 1970."""

    chat_id: int
    date: int
    is_member: bool


Parsed = Start | Asked | Typed | Paid | Refunded | GroupAsked | Tap | Membership | None


def parse(payload: Any) -> Parsed:
    """What an update asks of us; None when it is nothing that we act on."""
    try:
        read = _Update.model_validate(payload)
    except ValidationError:
        return None
    if read.callback_query:
        callback = read.callback_query
        message_id = callback.message.message_id if callback.message else None
        language = callback.sender.language_code
        return Tap(callback.id, callback.sender.id, message_id, callback.data, language)
    if read.my_chat_member:
        change = read.my_chat_member
        if change.chat.type in GROUPS:
            return None if change.new_chat_member.status in GONE else GroupAsked(change.chat.id)
        return Membership(change.chat.id, change.date, change.new_chat_member.status not in GONE)
    return _command(read.message) if read.message else None


def redacted(payload: Any) -> Any:
    """The update with the hash of a link's token in the token's place: the token itself is never stored."""
    if not isinstance(payload, dict):
        return payload
    return {name: _without_token(part) for name, part in payload.items()}


def _without_token(part: Any) -> Any:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str):
        return part
    if TOKEN.fullmatch(text.strip()):
        return part | {"text": f"{HASHED}{link_hash(text.strip())}"}
    command, *rest = text.split(maxsplit=1) if text[:6].lower() == "/start" else [""]
    if not rest:
        return part
    return part | {"text": f"{command} {HASHED}{link_hash(rest[0].strip())}"}


def chats_of(payload: Any) -> set[int]:
    """The chats that an update names, whatever kind of update it is."""
    chats = set()
    for part in payload.values() if isinstance(payload, dict) else ():
        named = [part.get(key) for key in ("chat", "from")] if isinstance(part, dict) else []
        chats |= {each["id"] for each in named if isinstance(each, dict) and _is_id(each.get("id"))}
    return chats


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _command(message: _Message) -> Parsed:
    """Commands count in a private chat only, from its owner: a forwarded or group message links nothing.

    In any case of letters, as phones write them; a token alone is as good as after `/start`.
    """
    chat, sender, text = message.chat, message.sender, message.text.strip()
    if chat.type in GROUPS:
        return GroupAsked(chat.id) if NAME.match(text) else None
    if chat.type != "private" or sender is None or sender.id != chat.id:
        return None
    if message.successful_payment or message.refunded_payment:
        return _money(chat.id, message, sender.language_code)
    return _text(chat.id, sender, text)


def _text(chat_id: int, sender: _Person, text: str) -> Start | Asked | Typed:
    language = sender.language_code
    if TOKEN.fullmatch(text):
        return Start(chat_id, sender.username, text, sender.first_name, language)
    if not text.startswith("/"):
        return Typed(chat_id, text, language)
    command, *rest = text.split(maxsplit=1)
    name, argument = command.partition("@")[0].removeprefix("/").lower(), "".join(rest).strip()
    if name == "start":
        return Start(chat_id, sender.username, argument, sender.first_name, language)
    return Asked(chat_id, name, argument, language)


def _money(chat_id: int, message: _Message, language: str) -> Paid | Refunded | None:
    if paid := message.successful_payment:
        charge_id, stars = paid.telegram_payment_charge_id, paid.total_amount
        return Paid(chat_id, charge_id, paid.currency, stars, paid.invoice_payload, language)
    if back := message.refunded_payment:
        return Refunded(chat_id, back.telegram_payment_charge_id, language)
    return None
