"""/stop: no more signals for good, after one question. The team can restore the subscription."""

from django.utils.translation import gettext, gettext_noop

from notifications.clients.telegram_call import Button
from notifications.services.bot.ask import Ask, by_the_chat, say, show
from notifications.services.bot.commands.kill import is_fresh
from notifications.services.bot.registry import button, command
from notifications.services.reply import Effect, rendered
from users.services import archive_subscriber


@command("stop", gettext_noop("End your subscription"))
def answer(ask: Ask) -> Effect:
    if not ask.is_active:
        return say(ask, "stopped already", "stop", step="already")
    asked = int(ask.now.timestamp())
    rows = [[Button(gettext("Yes, stop"), f"x:y{asked}"), Button(gettext("No, go on"), f"x:n{asked}")]]
    return say(ask, "asked to confirm the end", "stop", rows=rows, step="ask")


@button("x")
def confirm(ask: Ask) -> Effect:
    if not ask.is_active:
        return show(ask, "stopped already", rendered("stop", step="already"))
    if not ask.argument.startswith("y"):
        return show(ask, "goes on", rendered("stop", step="left"))
    if not is_fresh(ask.argument[1:], ask.now):
        return show(ask, "question too old", rendered("stop", step="old"))
    with by_the_chat("/stop"):
        archive_subscriber(subscriber=ask.person, now=ask.now)
    return show(ask, "stopped", rendered("stop", step="done"))
