"""Telegram's update objects, read down to what we act on. Whatever else they are is nothing to us."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from users.services import link_hash

HASHED = "#"  # no token has it
GONE = ("kicked", "left")


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Person(_Read):
    id: int = Field(ge=-(2**63), lt=2**63)
    username: str = ""


class _Chat(_Read):
    id: int = Field(ge=-(2**63), lt=2**63)
    type: str = ""


class _Message(_Read):
    message_id: int
    chat: _Chat
    sender: _Person | None = Field(None, alias="from")
    text: str = ""


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


@dataclass(frozen=True, slots=True)
class Asked:
    chat_id: int
    command: Literal["help", "last", "status"]


@dataclass(frozen=True, slots=True)
class Tap:
    """A pressed button. `message_id` is None when the message is too old for Telegram to name it."""

    callback_id: str
    user_id: int
    message_id: int | None
    data: str


@dataclass(frozen=True, slots=True)
class Membership:
    """The bot was let in or thrown out. `date` is Telegram's, in seconds since 1970."""

    chat_id: int
    date: int
    is_member: bool


Parsed = Start | Asked | Tap | Membership | None


def parse(payload: Any) -> Parsed:
    """What an update asks of us; None when it is nothing that we act on."""
    try:
        read = _Update.model_validate(payload)
    except ValidationError:
        return None
    if read.callback_query:
        callback = read.callback_query
        message_id = callback.message.message_id if callback.message else None
        return Tap(callback.id, callback.sender.id, message_id, callback.data)
    if read.my_chat_member:
        change = read.my_chat_member
        return Membership(change.chat.id, change.date, change.new_chat_member.status not in GONE)
    return _command(read.message) if read.message else None


def redacted(payload: Any) -> Any:
    """The update with the hash of a link's token in the token's place: the token itself is never stored."""
    if not isinstance(payload, dict):
        return payload
    return {name: _without_token(part) for name, part in payload.items()}


def _without_token(part: Any) -> Any:
    text = part.get("text") if isinstance(part, dict) else None
    command, *rest = text.split(maxsplit=1) if isinstance(text, str) and text.startswith("/start") else [""]
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


def _command(message: _Message) -> Start | Asked | None:
    """Commands count in a private chat only, from its owner: a forwarded or group message links nothing.

    In any case of letters, as phones write them; whatever else is written there asks for help.
    """
    if message.chat.type != "private" or message.sender is None or message.sender.id != message.chat.id:
        return None
    command, *rest = message.text.split(maxsplit=1) or [""]
    match command.partition("@")[0].lower():
        case "/start":
            return Start(message.chat.id, message.sender.username, "".join(rest).strip())
        case "/last":
            return Asked(message.chat.id, "last")
        case "/status":
            return Asked(message.chat.id, "status")
    return Asked(message.chat.id, "help")
