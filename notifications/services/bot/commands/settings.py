"""/settings: an inline keyboard for each setting; what has no short list is typed."""

from collections.abc import Callable
from datetime import time

from django.utils.translation import gettext, gettext_noop

from notifications.clients.telegram_call import Button, Keyboard
from notifications.services.bot import settings_page as page
from notifications.services.bot.ask import Ask, by_the_chat, refusal_words, show
from notifications.services.bot.chat_state import expect
from notifications.services.bot.registry import button, command
from notifications.services.preferences import (
    choose_all_instruments,
    set_daily_cap,
    set_quiet_hours,
    toggle_instrument,
    toggle_session,
)
from notifications.services.reply import Effect, rendered
from signals.engine.session import TradingSession
from users.engine.subscriber import AccountType, Language, RiskProfile
from users.services import SettingError, change_settings

Change = Callable[[Ask, str], None]


@command("settings", gettext_noop("Choose what you get, and when"))
def answer(ask: Ask) -> Effect:
    return show(ask, "asked for settings", page.overview(ask.person), rows=page.menu())


@button("s")
def choose(ask: Ask) -> Effect:
    """`s:` the menu, `s:NAME` one setting, `s:NAME:VALUE` a choice of it."""
    name, _, value = ask.argument.partition(":")
    if name not in page.PAGES:
        return show(ask, "asked for settings", page.overview(ask.person), rows=page.menu())
    if name in page.TYPED:
        return _ask_to_type(ask, name)
    if value == "type" and name in page.ALSO_TYPED:
        return _ask_to_type(ask, page.ALSO_TYPED[name])
    if not value or (name == "instruments" and value.startswith("page")):
        return _page(ask, name, value, "")
    return _chosen(ask, name, value)


def _chosen(ask: Ask, name: str, value: str) -> Effect:
    try:
        CHANGES[name](ask, value)
    except SettingError as error:
        return _page(ask, name, "", refusal_words(error), outcome=f"setting refused: {error.reason}")
    except ValueError:
        return _page(ask, name, "", gettext("This cannot be set."), outcome="setting refused: unknown value")
    return _page(ask, name, "", gettext("Saved."), outcome=f"setting changed: {name}")


def _page(ask: Ask, name: str, value: str, said: str, outcome: str = "asked for settings") -> Effect:
    """The setting as it is now, read anew."""
    person = page.reread(ask.person)
    first = int(value.removeprefix("page")) if value.removeprefix("page").isdecimal() else 0
    html, rows = page.setting(name, person, first=min(first, 1000))
    return show(ask, outcome, html, rows=rows, notice=said)


def _ask_to_type(ask: Ask, name: str) -> Effect:
    expect(chat_id=ask.chat_id, setting=name, now=ask.now)
    back: Keyboard = [[Button(gettext("‹ Back"), "s:")]]
    return show(ask, f"asked to type: {name}", rendered("settings_type", setting=name), rows=back)


def _sessions(ask: Ask, value: str) -> None:
    toggle_session(subscriber=ask.person, session=TradingSession(value))


def _instruments(ask: Ask, value: str) -> None:
    if value == "all":
        choose_all_instruments(subscriber=ask.person)
    else:
        toggle_instrument(subscriber=ask.person, instrument_id=_number(value))


def _quiet(ask: Ask, value: str) -> None:
    begins, _, ends = value.partition("-")
    quiet = None if value == "none" else (time(_number(begins)), time(_number(ends)))
    set_quiet_hours(subscriber=ask.person, quiet=quiet)


def _cap(ask: Ask, value: str) -> None:
    set_daily_cap(subscriber=ask.person, cap=None if value == "none" else _number(value))


def _risk(ask: Ask, value: str) -> None:
    with by_the_chat("risk profile"):
        change_settings(subscriber_id=ask.person.pk, risk_profile=RiskProfile(value))


def _account(ask: Ask, value: str) -> None:
    with by_the_chat("account type"):
        change_settings(subscriber_id=ask.person.pk, account_type=AccountType(value))


def _language(ask: Ask, value: str) -> None:
    with by_the_chat("language"):
        change_settings(subscriber_id=ask.person.pk, language=Language(value))


def _number(text: str) -> int:
    """Of our own buttons; ValueError for what nobody could have pressed."""
    if not text.isdecimal() or len(text) > 18:
        raise ValueError(text)
    return int(text)


CHANGES: dict[str, Change] = {
    "sessions": _sessions,
    "instruments": _instruments,
    "quiet": _quiet,
    "cap": _cap,
    "risk": _risk,
    "account": _account,
    "language": _language,
}
