"""One file for each command; whoever imports this has them all registered."""

from notifications.services.bot.commands import (
    buy,
    kill,
    last,
    pause,
    performance,
    resume,
    settings,
    start,
    status,
    stop,
    tier,
    verify,
)
from notifications.services.bot.commands import help as help_
from notifications.services.bot.registry import COMMANDS

__all__ = [
    "COMMANDS",
    "buy",
    "help_",
    "kill",
    "last",
    "pause",
    "performance",
    "resume",
    "settings",
    "start",
    "status",
    "stop",
    "tier",
    "verify",
]
