"""Calls to Telegram that a worker makes by itself: reminders and refunds."""

from notifications.clients.telegram import TelegramClient
from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import Notice, StarsPayment

REFUNDED_ALREADY = "charge_already_refunded"


async def send_notice(notice: Notice, text: str, chat_id: int) -> TelegramError | None:
    """Once; what went wrong."""
    async with TelegramClient.configured() as client:
        try:
            notice.telegram_message_id = await client.send_message(chat_id=chat_id, text=text, html=True)
        except TelegramError as error:
            return error
    return None


async def refund(payment: StarsPayment) -> TelegramError | None:
    """None when the Stars are back, by this call or an earlier one."""
    async with TelegramClient.configured() as client:
        try:
            await client.refund_stars(user_id=payment.user_id, charge_id=payment.telegram_payment_charge_id)
        except TelegramError as error:
            return None if REFUNDED_ALREADY in str(error).lower() else error
    return None


def is_passing(error: TelegramError) -> bool:
    """Whether to ask again later."""
    return error.failure in (Failure.HELD_BACK, Failure.NOT_SENT, Failure.RATE_LIMITED, Failure.AMBIGUOUS)
