"""What becomes of a delivery after a failed call: the table of states, without a database."""

import random
from dataclasses import dataclass, replace
from typing import assert_never

import psycopg

from notifications.clients.telegram_call import Failure, TelegramError
from notifications.models import DeliveryState

SHORTEST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 60.0
PAUSE_MARGIN_SECONDS = 0.1
REPEAT_AFTER_SECONDS = 1.0
MISTAKE_BEGINS = "Our own mistake, the message could not be made"
PASSING = (OSError, MemoryError, psycopg.Error)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the sender knows of a delivery when it calls."""

    attempts: int = 0
    is_repeat: bool = False
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """The next state of the row, and what else everybody must be told.

    `bad_picture`: Telegram refused it as it was sent, by name or by upload, and must not be sent it again.
    `pause_bot_seconds` stops all sending; `halt` until an operator acts; `chat_gone` ends the
    subscriber's other open rows; `alarm` is our own mistake and belongs in the error log.
    """

    state: DeliveryState
    reason: str
    delay_seconds: float = 0.0
    counts: bool = True
    is_repeat: bool = False
    is_plain: bool = False
    bad_picture: bool = False
    pause_bot_seconds: float = 0.0
    halt: bool = False
    chat_gone: bool = False
    new_chat_id: int | None = None
    alarm: bool = False


def after_failure(error: TelegramError, attempt: Attempt, rng: random.Random) -> Transition:
    """The transition for a signal's delivery; `rng` jitters the backoff."""
    again = Transition(
        DeliveryState.RETRY, str(error)[:250], is_repeat=attempt.is_repeat, is_plain=attempt.is_plain
    )
    given_up = replace(again, state=_given_up(attempt))
    match error.failure:
        case Failure.NOT_SENT:
            result = replace(again, delay_seconds=backoff_seconds(attempt.attempts, rng))
        case Failure.RATE_LIMITED:
            wait = error.retry_after_seconds + PAUSE_MARGIN_SECONDS
            result = replace(again, delay_seconds=wait, pause_bot_seconds=wait, counts=False)
        case Failure.AMBIGUOUS:
            doubt = after_doubt(again.reason, attempt)
            result = replace(doubt, pause_bot_seconds=error.retry_after_seconds)
        case Failure.CHAT_GONE:
            result = replace(given_up, chat_gone=True)
        case Failure.BAD_TEXT if not attempt.is_plain:
            result = replace(again, is_plain=True, alarm=True)
        case Failure.BAD_PICTURE:
            result = replace(again, bad_picture=True, alarm=True)
        case Failure.BAD_TEXT | Failure.REFUSED:
            result = replace(given_up, alarm=True)
        case Failure.MIGRATED:
            result = replace(again, new_chat_id=error.new_chat_id, counts=False)
        case Failure.HELD_BACK | Failure.BAD_TOKEN:
            result = _as_before(again, attempt, refused=error.failure is Failure.BAD_TOKEN)
        case _:
            assert_never(error.failure)
    return result


def after_doubt(text: str, attempt: Attempt) -> Transition:
    """The call may or may not have reached the chat: repeat once, then leave it as unknown."""
    if attempt.is_repeat:
        return Transition(DeliveryState.UNKNOWN, text, is_repeat=True, is_plain=attempt.is_plain)
    return Transition(
        DeliveryState.RETRY, text, REPEAT_AFTER_SECONDS, is_repeat=True, is_plain=attempt.is_plain
    )


def after_own_mistake(error: BaseException, attempt: Attempt, rng: random.Random) -> Transition:
    """We could not make the message, nor will the next time unless the machine was short of something."""
    reason = f"{MISTAKE_BEGINS}: {type(error).__name__}: {error}"
    dead = Transition(
        _given_up(attempt), reason[:250], is_repeat=attempt.is_repeat, is_plain=attempt.is_plain, alarm=True
    )
    if isinstance(error, PASSING):
        return replace(dead, state=DeliveryState.RETRY, delay_seconds=backoff_seconds(attempt.attempts, rng))
    return dead


def after_taken_chat(migration: Transition) -> Transition:
    """The chat moved to one that belongs to another subscriber: like a chat that is gone."""
    state = DeliveryState.UNKNOWN if migration.is_repeat else DeliveryState.DEAD
    reason = "The chat moved to one that is linked to another subscriber: issue a new link."
    return replace(migration, state=state, reason=reason, counts=True, chat_gone=True)


def _as_before(again: Transition, attempt: Attempt, *, refused: bool) -> Transition:
    """As it was before the claim; the bot is halted if its token was refused."""
    state = DeliveryState.RETRY if attempt.attempts else DeliveryState.PENDING
    reason = again.reason if refused else ""
    return replace(again, state=state, reason=reason, counts=False, halt=refused, alarm=refused)


def _given_up(attempt: Attempt) -> DeliveryState:
    """A repeat that is refused leaves the first attempt's fate open."""
    return DeliveryState.UNKNOWN if attempt.is_repeat else DeliveryState.DEAD


def backoff_seconds(attempts: int, rng: random.Random) -> float:
    """1, 2, 4 … at most 60 seconds, each between half and whole."""
    longest = min(LONGEST_BACKOFF_SECONDS, SHORTEST_BACKOFF_SECONDS * 2 ** min(attempts, 10))
    return longest * rng.uniform(0.5, 1.0)
