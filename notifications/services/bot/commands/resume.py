"""/resume: signals again."""

from django.utils.translation import gettext_noop

from notifications.services.bot.ask import Ask, say
from notifications.services.bot.registry import command
from notifications.services.preferences import pause
from notifications.services.reply import Effect
from notifications.services.starvation import starvation


@command("resume", gettext_noop("Signals again"))
def answer(ask: Ask) -> Effect:
    """Says so, too, where something else keeps signals away."""
    pause(subscriber=ask.person, until=None, why="/resume")
    starved = bool(starvation(ask.person, now=ask.now))
    return say(ask, "resumed", "resume", active=ask.is_active, starved=starved)
