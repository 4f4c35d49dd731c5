"""Which command and which button leads where."""

from collections.abc import Callable
from dataclasses import dataclass

from notifications.services.bot.ask import Ask
from notifications.services.reply import Effect

Answer = Callable[[Ask], Effect]


@dataclass(frozen=True, slots=True)
class Command:
    """`words` describe it in the menu (translated when the menu is made).

    `for_anybody`: a chat that is nobody's is answered, too; `for_staff`: staff alone, beside what subscribers have of
    that name; `only_asks`: it changes nothing, so that it may wait for its turn.
    """

    name: str
    answer: Answer
    words: str
    for_anybody: bool = False
    for_staff: bool = False
    only_asks: bool = False


COMMANDS: dict[str, Command] = {}
STAFF_COMMANDS: dict[str, Command] = {}
# By prefix of the button's data.
BUTTONS: dict[str, Answer] = {}
STAFF_BUTTONS: dict[str, Answer] = {}
# By the setting that the chat was asked for.
TYPED: dict[str, Answer] = {}


def command(
    name: str, words: str, *, for_anybody: bool = False, for_staff: bool = False, only_asks: bool = False
) -> Callable[[Answer], Answer]:
    """Make a function the answer to `/name`."""

    def register(answer: Answer) -> Answer:
        commands = STAFF_COMMANDS if for_staff else COMMANDS
        commands[name] = Command(name, answer, words, for_anybody, for_staff, only_asks)
        return answer

    return register


def button(prefix: str, *, for_staff: bool = False) -> Callable[[Answer], Answer]:
    """Make a function the answer to buttons whose data begin with `prefix`; its argument is the rest."""

    def register(answer: Answer) -> Answer:
        (STAFF_BUTTONS if for_staff else BUTTONS)[prefix] = answer
        return answer

    return register


def typed(setting: str) -> Callable[[Answer], Answer]:
    """Make a function the answer to the next text of a chat that was asked for this setting."""

    def register(answer: Answer) -> Answer:
        TYPED[setting] = answer
        return answer

    return register
