"""The only code that knows the Telegram Bot API. It never retries: retries are rows."""

import asyncio
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from django.conf import settings
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllPrivateChats,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LabeledPrice,
    Message,
    ReplyParameters,
)
from telegram import error as ptb
from telegram.constants import ParseMode
from telegram.request import BaseRequest

from notifications.clients.aiohttp_request import (
    SECONDS_WHEN_NONE_ARE_SAID,
    AiohttpRequest,
    ForeignAnswerError,
    HeldBackError,
    NotSentError,
)
from notifications.clients.telegram_call import Button, Failure, Keyboard, TelegramError
from signals.telemetry import count_outside_call

Result = TypeVar("Result")

CALL_SECONDS = 22.0
ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member", "pre_checkout_query")
# python-telegram-bot reads a body that is JSON but not Telegram's without looking.
MISREAD = (LookupError, TypeError, AttributeError, ValueError)
CHAT_IS_GONE = (
    "chat not found",
    "peer_id_invalid",
    "chat_write_forbidden",
    "user is deactivated",
    "user not found",
)
TEXT_IS_BAD = (
    "can't parse entities",
    "message is too long",
    "message text is empty",
    "caption is too long",
    "caption_too_long",
)
SAME = "message is not modified"
PICTURE_IS_BAD = (
    "wrong file identifier",
    "wrong remote file",
    "photo_invalid_dimensions",
    "image_process_failed",
    "photo in the request",
    "too big for a photo",
)


class TelegramClient:
    """One bot. Every method raises TelegramError. `request` carries the calls, with its own timeouts.

    One of another kind than AiohttpRequest does not ask `may_begin`, and is nothing for the sender.

    With `paid_broadcast` Telegram takes a tenth of a Star for each message beyond its free rate, up to 1,000/s.
    """

    def __init__(
        self, *, token: str, api_url: str, request: BaseRequest | None = None, paid_broadcast: bool = False
    ) -> None:
        self._token = token
        self._paid_broadcast = paid_broadcast or None
        self._request = request or AiohttpRequest(read_timeout=10.0)
        self._bot = Bot(
            token, base_url=f"{api_url}/bot", request=self._request, get_updates_request=self._request
        )

    @classmethod
    def configured(cls, *, paid_broadcast: bool = False) -> Self:
        """The bot of the settings; ValueError without a token."""
        if not settings.TELEGRAM_BOT_TOKEN or not settings.TELEGRAM_API_URL:
            raise ValueError("TELEGRAM_BOT_TOKEN is not set: write it into .env, see .env.example")
        return cls(
            token=settings.TELEGRAM_BOT_TOKEN,
            api_url=settings.TELEGRAM_API_URL,
            paid_broadcast=paid_broadcast,
        )

    async def __aenter__(self) -> Self:
        await self._request.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._request.shutdown()

    async def send_message(
        self,
        *,
        chat_id: int,
        text: str,
        html: bool,
        silent: bool = False,
        buttons: Sequence[Button] = (),
        rows: Keyboard = (),
        reply_to: int | None = None,
    ) -> int:
        """Send a text, in answer to the message `reply_to` if that is still there; return Telegram's message id."""
        return await self._call(
            _id_of(
                self._bot.send_message(
                    chat_id,
                    text,
                    parse_mode=ParseMode.HTML if html else None,
                    disable_notification=silent,
                    reply_markup=_keyboard(buttons, rows),
                    reply_parameters=_answering(reply_to),
                    allow_paid_broadcast=self._paid_broadcast,
                )
            )
        )

    async def send_photo(
        self,
        *,
        chat_id: int,
        photo: str | bytes,
        caption: str,
        html: bool,
        silent: bool = False,
        buttons: Sequence[Button] = (),
    ) -> tuple[int, str]:
        """Send a picture, uploaded or by Telegram's file id; return the message id and the file id."""
        return await self._call(
            _ids_of(
                self._bot.send_photo(
                    chat_id,
                    photo,
                    caption,
                    parse_mode=ParseMode.HTML if html else None,
                    disable_notification=silent,
                    reply_markup=_keyboard(buttons),
                    filename="signal.png",
                    allow_paid_broadcast=self._paid_broadcast,
                )
            )
        )

    async def answer_callback(self, *, callback_id: str, text: str) -> None:
        """The short notice that appears after a button was pressed."""
        await self._call(self._bot.answer_callback_query(callback_id, text))

    async def replace_buttons(self, *, chat_id: int, message_id: int, buttons: Sequence[Button]) -> None:
        """Nothing happens when the message has these buttons already."""
        await self._call(
            _unless_the_same(
                self._bot.edit_message_reply_markup(
                    chat_id=chat_id, message_id=message_id, reply_markup=_keyboard(buttons)
                )
            )
        )

    async def edit_message(self, *, chat_id: int, message_id: int, text: str, rows: Keyboard = ()) -> None:
        """Put another text and keyboard in a message's place; nothing happens when they are the same."""
        await self._call(
            _unless_the_same(
                self._bot.edit_message_text(
                    text,
                    chat_id=chat_id,
                    message_id=message_id,
                    parse_mode=ParseMode.HTML,
                    reply_markup=_keyboard((), rows),
                )
            )
        )

    async def send_document(self, *, chat_id: int, name: str, content: bytes, caption: str) -> int:
        """Send a file with a caption of Telegram's HTML; return Telegram's message id."""
        return await self._call(
            _id_of(
                self._bot.send_document(
                    chat_id, content, caption=caption, parse_mode=ParseMode.HTML, filename=name
                )
            )
        )

    async def send_invoice(
        self, *, chat_id: int, title: str, description: str, payload: str, stars: int
    ) -> int:
        """Send a bill in Telegram Stars; return Telegram's message id."""
        return await self._call(
            _id_of(
                self._bot.send_invoice(
                    chat_id,
                    title,
                    description,
                    payload,
                    "XTR",
                    [LabeledPrice(title, stars)],
                    provider_token="",
                )
            )
        )

    async def answer_checkout(self, *, query_id: str, problem: str) -> None:
        """The answer to the question before a payment, where no webhook could give it; "" lets it pass."""
        await self._call(
            self._bot.answer_pre_checkout_query(query_id, not problem, error_message=problem or None)
        )

    async def refund_stars(self, *, user_id: int, charge_id: str) -> None:
        """Give the Stars of a payment back. Telegram does it once for each charge."""
        await self._call(self._bot.refund_star_payment(user_id, charge_id))

    async def set_commands(self, *, commands: Sequence[tuple[str, str]], language: str) -> None:
        """The menu of commands, each with its description; `language` "" is for all who have none of their own."""
        await self._call(
            self._bot.set_my_commands(
                [BotCommand(name, words) for name, words in commands],
                scope=BotCommandScopeAllPrivateChats(),
                language_code=language or None,
            )
        )

    async def username(self) -> str:
        """The bot's name; also the cheapest proof that the token is good."""
        return (await self._call(self._bot.get_me())).username or ""

    async def set_webhook(self, *, url: str, secret: str) -> None:
        """Have updates posted to `url`, or with an empty one kept for `get_updates`. Waiting updates stay."""
        if not url:
            await self._call(self._bot.delete_webhook())
            return
        await self._call(self._bot.set_webhook(url, secret_token=secret, allowed_updates=ALLOWED_UPDATES))

    async def get_updates(self, *, offset: int, wait_seconds: int) -> list[dict[str, Any]]:
        """Updates from number `offset` on, as Telegram's objects; answers at once when there are some."""
        updates = await self._call(
            self._bot.get_updates(offset=offset, timeout=wait_seconds, allowed_updates=ALLOWED_UPDATES)
        )
        return [update.to_dict() for update in updates]

    async def _call(self, call: Awaitable[Result]) -> Result:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                result = await call
        except (ptb.TelegramError, TimeoutError, *MISREAD) as error:
            if not isinstance(error, HeldBackError):
                count_outside_call("telegram", "error")
            raise self._translated(error) from error
        count_outside_call("telegram", "ok")
        return result

    def _translated(self, error: Exception) -> TelegramError:
        text = (str(error) or type(error).__name__).replace(self._token, "<token>")
        failure, seconds, new_chat_id = Failure.AMBIGUOUS, 0.0, None
        match error:
            case ptb.RetryAfter():
                failure = Failure.RATE_LIMITED
                seconds = error._retry_after.total_seconds()  # noqa: SLF001  (the public one warns or changes type)
            case ptb.ChatMigrated():
                failure, new_chat_id = Failure.MIGRATED, error.new_chat_id
            case ptb.Forbidden():
                failure = Failure.CHAT_GONE
            case ptb.InvalidToken():
                failure = Failure.BAD_TOKEN
            case ptb.BadRequest():
                failure = _bad_request(text)
            case ptb.Conflict():
                failure = Failure.REFUSED
            case ForeignAnswerError():
                seconds = SECONDS_WHEN_NONE_ARE_SAID
            case HeldBackError():
                failure = Failure.HELD_BACK
            case NotSentError():
                failure = Failure.NOT_SENT
        return TelegramError(text, failure, retry_after_seconds=seconds, new_chat_id=new_chat_id)


async def _id_of(sent: Awaitable[Message]) -> int:
    return (await sent).message_id


async def _ids_of(sent: Awaitable[Message]) -> tuple[int, str]:
    message = await sent
    return message.message_id, message.photo[-1].file_id if message.photo else ""


async def _unless_the_same(edit: Awaitable[object]) -> None:
    try:
        await edit
    except ptb.BadRequest as error:
        if SAME not in str(error).lower():
            raise


def _bad_request(text: str) -> Failure:
    lowered = text.lower()
    if any(words in lowered for words in CHAT_IS_GONE):
        return Failure.CHAT_GONE
    if any(words in lowered for words in TEXT_IS_BAD):
        return Failure.BAD_TEXT
    if any(words in lowered for words in PICTURE_IS_BAD):
        return Failure.BAD_PICTURE
    return Failure.REFUSED


def _answering(message_id: int | None) -> ReplyParameters | None:
    """The subscriber may have deleted the message: the answer goes out all the same."""
    return ReplyParameters(message_id, allow_sending_without_reply=True) if message_id is not None else None


def _keyboard(buttons: Sequence[Button], rows: Keyboard = ()) -> InlineKeyboardMarkup | None:
    """`buttons` beside each other, or `rows` of them."""
    rows = rows or ([buttons] if buttons else ())
    if not rows:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(button.text, callback_data=button.data) for button in row] for row in rows]
    )
