"""/help: what the bot can do; also the answer to whatever it does not understand."""

from django.utils.translation import gettext, gettext_noop

from notifications.services.bot.ask import Ask
from notifications.services.bot.registry import COMMANDS, STAFF_COMMANDS, command
from notifications.services.reply import Effect, text_reply


@command("help", gettext_noop("What I can do"), for_anybody=True, only_asks=True)
def answer(ask: Ask) -> Effect:
    lines = [(each.name, gettext(each.words)) for each in COMMANDS.values()]
    staff = [(each.name, gettext(each.words)) for each in STAFF_COMMANDS.values()] if ask.staff else []
    return Effect("asked for help", text_reply(ask.chat_id, "help", commands=lines, staff_commands=staff))
