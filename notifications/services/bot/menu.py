"""The menu of commands that Telegram shows beside the text field, in each language."""

from django.utils.translation import gettext, override

from notifications.clients.telegram import TelegramClient
from notifications.services.bot.commands import COMMANDS
from users.engine.subscriber import Language


def menu_of(language: Language) -> list[tuple[str, str]]:
    """Name and description of each command that a subscriber has."""
    with override(language.value):
        return [(command.name, gettext(command.words)) for command in COMMANDS.values()]


async def announce_commands() -> None:
    """By `setMyCommands`; English is also for those whose language the bot does not speak. Raises TelegramError."""
    async with TelegramClient.configured() as client:
        await client.set_commands(commands=menu_of(Language.ENGLISH), language="")
        for language in Language:
            if language is not Language.ENGLISH:
                await client.set_commands(commands=menu_of(language), language=language.value)
