"""What an operator does about a delivery that did not arrive for certain."""

from notifications.models import DeliveryState
from notifications.services.eligibility import Exclusion
from notifications.services.sender.transition import MISTAKE_BEGINS

UNKNOWN = (
    "No answer came to the first attempt, and its repeat had none either, was refused or was not allowed any more: "
    "it may have arrived once, twice or not at all. Nothing is sent again by itself; ask the subscriber where it "
    "matters."
)
EXPIRED = (
    "It was released but its time was over before its turn came: see whether the sender was down, paused by "
    "Telegram, or had more to send than Telegram takes."
)
BY_RULE = "Nothing to do: the rules were judged again before sending, and this one no longer allowed it."
CHAT_GONE = "Ask the subscriber to unblock the bot, or issue a link token for a new chat."
REFUSED = "Telegram refuses the message itself: our mistake. The sender's log has the call; report it."
OUR_MISTAKE = "Our own mistake: nothing was sent. The sender's log has the traceback; report it."
CHAT_WORDS = ("blocked", "kicked", "deactivated", "chat", "unreachable", "user not found")


def what_to_do(state: str, reason: str) -> str:
    """One sentence for the console; `reason` as the delivery holds it, a code of Exclusion or Telegram's words."""
    if state == DeliveryState.UNKNOWN:
        return UNKNOWN
    if state == DeliveryState.EXPIRED:
        return EXPIRED
    if reason != Exclusion.UNREACHABLE and reason in set(Exclusion):
        return BY_RULE
    if reason.startswith(MISTAKE_BEGINS):
        return OUR_MISTAKE
    return CHAT_GONE if any(word in reason.lower() for word in CHAT_WORDS) else REFUSED
