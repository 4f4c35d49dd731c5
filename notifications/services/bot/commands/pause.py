"""/pause: no signals for a while, or until /resume."""

from datetime import timedelta

from django.utils.translation import gettext, gettext_noop

from notifications.clients.telegram_call import Button, Keyboard
from notifications.services.bot.ask import Ask, say, show
from notifications.services.bot.registry import button, command
from notifications.services.preferences import pause
from notifications.services.reply import Effect, rendered

UNTIL_RESUMED = timedelta(days=3650)
HOURS = {
    "1": gettext_noop("1 hour"),
    "8": gettext_noop("8 hours"),
    "24": gettext_noop("1 day"),
    "168": gettext_noop("1 week"),
}


@command("pause", gettext_noop("No signals until /resume"))
def answer(ask: Ask) -> Effect:
    """At once; the buttons make it shorter."""
    if ask.argument in HOURS:
        return _paused(ask, ask.argument)
    until = ask.now + UNTIL_RESUMED
    pause(subscriber=ask.person, until=until, why="/pause")
    return say(ask, "paused", "pause", rows=_choices(), until=None)


@button("p")
def shorten(ask: Ask) -> Effect:
    if ask.argument not in HOURS:
        return show(ask, "not a button of this chat", rendered("pause", until=None), rows=_choices())
    return _paused(ask, ask.argument)


def _paused(ask: Ask, hours: str) -> Effect:
    until = ask.now + timedelta(hours=int(hours))
    pause(subscriber=ask.person, until=until, why=f"/pause {hours} h")
    return show(ask, f"paused for {hours} h", rendered("pause", until=until), rows=_choices())


def _choices() -> Keyboard:
    return [[Button(gettext(words), f"p:{hours}") for hours, words in HOURS.items()]]
