"""Entry points of the worker: read the clock, call one service."""

import asyncio
from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from notifications.services import bot_state, inbox, notices, pictures, removal, stars, webhooks
from notifications.services.bot.chat_state import forget_states
from notifications.services.reply_turns import forget_turns, reserve_turn, take_turn
from signals.crash_points import CrashPoint, reach
from signals.models import Signal
from signals.selectors import sending_allowed
from signals.services.wake_up import wake_up

logger = structlog.get_logger(__name__)

LEAVE_TO_ITS_WAKE_UP = timedelta(seconds=10)
INBOX_KEPT = timedelta(days=30)


@shared_task(name="notifications.tasks.process_update")
def process_update(update_id: int) -> None:
    """A chat that asks or presses more often than it may be answered gets no answer; what it did counts."""
    question = inbox.open_question(update_id=update_id)
    may_reply = True
    if question is not None:
        may_reply = question.turn_at is not None or take_turn(chat_id=question.chat_id)
        if may_reply and not _is_its_turn(update_id, question):
            return
    reply = inbox.process_update(update_id=update_id, now=timezone.now())
    if reply is None:
        return
    if not may_reply or (question is None and not take_turn(chat_id=reply.chat_id)):
        inbox.record_reply(update_id=update_id, result="no reply: this chat asks more than once a second")
        return
    if why := bot_state.silence(now=timezone.now()):
        inbox.record_reply(update_id=update_id, result=f"no reply: {why}")
        return
    if reply.is_switched and not sending_allowed():
        inbox.record_reply(update_id=update_id, result="no reply: sending is stopped")
        return
    reach(CrashPoint.BEFORE_REPLY)
    from notifications.services.reply_sending import send_reply  # noqa: PLC0415 - only workers load the client

    error = asyncio.run(send_reply(reply))
    reach(CrashPoint.AFTER_REPLY)
    result = f"reply failed ({error.failure}): {error}" if error else "replied"
    inbox.record_reply(update_id=update_id, result=result)
    if error:
        bot_state.heed(error, chat_id=reply.chat_id)


def _is_its_turn(update_id: int, question: inbox.Question) -> bool:
    """Else a worker is woken when it is; where too many wait for a turn, the sweeper asks for one again."""
    now = timezone.now()
    if question.turn_at is not None:
        return question.turn_at <= now
    wait = reserve_turn(chat_id=question.chat_id)
    if wait:
        inbox.keep_turn(update_id=update_id, turn_at=now + timedelta(seconds=wait))
        wake_for_update(update_id, after_seconds=wait)
    return wait == 0


@shared_task(name="notifications.tasks.sweep_updates")
def sweep_updates() -> None:
    """Wake a worker for every update whose wake-up was lost, whose attempt failed, or which had no turn."""
    now = timezone.now()
    for update_id in inbox.waiting_updates(received_before=now - LEAVE_TO_ITS_WAKE_UP):
        wake_for_update(update_id)
    forget_turns(free_before=now - LEAVE_TO_ITS_WAKE_UP)


@shared_task(name="notifications.tasks.tidy_inbox")
def tidy_inbox() -> None:
    """What strangers typed is emptied, what is a month old is deleted."""
    removal.forget_strangers()
    now = timezone.now()
    removal.forget_old_updates(received_before=now - INBOX_KEPT)
    forget_states(before=now - INBOX_KEPT)


@shared_task(name="notifications.tasks.send_notices")
def send_notices() -> None:
    """Write the reminders that have come due, and send what may be sent now."""
    from notifications.services.worker_calls import send_notice  # noqa: PLC0415 - only workers load the client

    notices.write_notices(now=timezone.now())
    while not bot_state.silence(now=timezone.now()) and settings.TELEGRAM_BOT_TOKEN:
        notice = notices.claim_notice(now=timezone.now())
        if notice is None:
            return
        message = notices.message_of(notice)
        if not take_turn(chat_id=message.chat_id):
            notices.wait_for_turn(notice=notice, now=timezone.now())
            continue
        error = asyncio.run(send_notice(notice, message.html, message.chat_id))
        notices.record_notice(notice=notice, error=error, now=timezone.now())


@shared_task(name="notifications.tasks.refund_payments")
def refund_payments() -> None:
    """Give back what staff asked for; what fails for a while is asked again."""
    from notifications.services import worker_calls  # noqa: PLC0415 - only workers load the client

    for payment in stars.waiting_refunds() if settings.TELEGRAM_BOT_TOKEN else ():
        error = asyncio.run(worker_calls.refund(payment))
        if error is None:
            stars.record_refund(charge_id=payment.telegram_payment_charge_id, now=timezone.now())
        elif not worker_calls.is_passing(error):
            stars.record_refund_error(payment=payment, error=str(error))


def wake_for_refund() -> None:
    wake_up(refund_payments)


@shared_task(name="notifications.tasks.announce_commands")
def announce_commands() -> None:
    """The menu in Telegram, in each language; nothing without a bot."""
    if settings.TELEGRAM_BOT_TOKEN:
        from notifications.services.bot.menu import announce_commands as announce  # noqa: PLC0415  (as above)

        asyncio.run(announce())


@shared_task(name="notifications.tasks.draw_picture")
def draw_picture(signal_id: int) -> None:
    from notifications.services.drawing import draw_signal  # noqa: PLC0415  (matplotlib, which only a worker loads)

    if not pictures.begin_drawing(signal_id=signal_id):
        return
    signal = Signal.objects.with_instrument().get(pk=signal_id)
    try:
        png = draw_signal(signal=signal)
    except ValueError as error:
        logger.exception("no picture, the signal goes out as text", signal=str(signal.public_id))
        pictures.give_up_picture(signal_id=signal_id, error=str(error))
    else:
        pictures.keep_picture(signal_id=signal_id, png=png, now=timezone.now())


@shared_task(name="notifications.tasks.sweep_pictures")
def sweep_pictures() -> None:
    """Draw what a lost wake-up, a failed attempt or a long queue left undrawn."""
    now = timezone.now()
    for signal_id in pictures.undrawn_pictures(requested_before=now - LEAVE_TO_ITS_WAKE_UP, now=now):
        wake_for_picture(signal_id)


@shared_task(name="notifications.tasks.send_webhooks")
def send_webhooks(endpoint_id: int) -> None:
    from notifications.services.webhook_sending import send_due  # noqa: PLC0415 - only workers load the client

    send_due(endpoint_id=endpoint_id, clock=timezone.now)


@shared_task(name="notifications.tasks.sweep_webhooks")
def sweep_webhooks() -> None:
    """Wake a worker for each endpoint that something is due for: after a delay, a failure or a lost wake-up."""
    for endpoint_id in webhooks.endpoints_with_work(now=timezone.now()):
        wake_for_webhooks(endpoint_id)


def wake_for_webhooks(endpoint_id: int) -> None:
    """Ask for an endpoint's events to be sent."""
    wake_up(send_webhooks, endpoint_id)


def wake_for_picture(signal_id: int) -> None:
    """Ask for a signal to be drawn."""
    wake_up(draw_picture, signal_id)


def wake_for_update(update_id: int, *, after_seconds: float | None = None) -> None:
    """Ask for an update to be worked off, now or in a while."""
    wake_up(process_update, update_id, countdown=after_seconds)


@shared_task(name="notifications.tasks.tell_heads")
def tell_heads() -> None:
    from notifications.services import head_announcements  # noqa: PLC0415 - only workers load the client

    head_announcements.tell_heads(now=timezone.now())


@shared_task(name="notifications.tasks.tell_staff")
def tell_staff() -> None:
    """Alarms to the chats of the staff."""
    from notifications.services import staff_alarms  # noqa: PLC0415 - only workers load the client

    staff_alarms.tell_staff(now=timezone.now())
