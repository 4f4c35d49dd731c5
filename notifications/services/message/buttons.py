"""The buttons under a signal."""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from notifications.clients.telegram_call import Button
from notifications.models import Answer

BUTTON_PREFIXES: Mapping[Answer, str] = {Answer.ACTED: "fa:", Answer.IGNORED: "fi:"}
BUTTON_TEXTS: Mapping[Answer, str] = {
    Answer.ACTED: gettext_noop("I acted"),
    Answer.IGNORED: gettext_noop("I ignored it"),
}
CHOSEN_TEXTS: Mapping[Answer, str] = {
    Answer.ACTED: gettext_noop("✓ You acted"),
    Answer.IGNORED: gettext_noop("✓ You ignored it"),
}


def feedback_buttons(delivery_id: UUID) -> Sequence[Button]:
    """The two buttons under a signal; their data name the delivery by its random id and nothing else."""
    return [
        Button(gettext(BUTTON_TEXTS[answer]), prefix + delivery_id.hex)
        for answer, prefix in BUTTON_PREFIXES.items()
    ]


def chosen_buttons(delivery_id: UUID, chosen: Answer) -> Sequence[Button]:
    """What replaces them after the answer: the other one stays, for a change of mind."""
    return [
        Button(
            gettext((CHOSEN_TEXTS if answer is chosen else BUTTON_TEXTS)[answer]), prefix + delivery_id.hex
        )
        for answer, prefix in BUTTON_PREFIXES.items()
    ]


def pressed_button(data: str) -> tuple[UUID, Answer] | None:
    """Delivery id and answer behind a button's data; None when it is none of ours."""
    for answer, prefix in BUTTON_PREFIXES.items():
        if data.startswith(prefix) and re.fullmatch(r"[0-9a-f]{32}", data.removeprefix(prefix)):
            return UUID(hex=data.removeprefix(prefix)), answer
    return None
