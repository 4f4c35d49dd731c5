"""/last: the newest signals and what became of them."""

from django.utils.translation import gettext_noop

from notifications.services.answers import last_signals
from notifications.services.bot.ask import Ask
from notifications.services.bot.registry import command
from notifications.services.reply import Effect


@command("last", gettext_noop("Your last signals and what became of them"), for_anybody=True, only_asks=True)
def answer(ask: Ask) -> Effect:
    reply = last_signals(ask.subscriber, chat_id=ask.chat_id, now=ask.now)
    return Effect("asked for the last signals", reply)
