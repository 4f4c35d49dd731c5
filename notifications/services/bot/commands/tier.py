"""/tier: what the subscription includes."""

from django.utils.translation import gettext_noop

from notifications.services.answers import delay_words
from notifications.services.bot.ask import Ask, say
from notifications.services.bot.commands.buy import buy_buttons
from notifications.services.bot.registry import command
from notifications.services.reply import Effect


@command("tier", gettext_noop("What your tier includes"), only_asks=True)
def answer(ask: Ask) -> Effect:
    person = ask.person
    return say(
        ask,
        "asked for the tier",
        "tier",
        rows=buy_buttons(person),
        subscriber=person,
        tier=person.tier,
        delay=delay_words(person),
        active=ask.is_active,
        over=person.has_ended(ask.now),
    )
