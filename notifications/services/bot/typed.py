"""Settings that are typed: capital, risk per trade, quiet hours, daily cap, time zone."""

import re
from collections.abc import Callable
from datetime import time
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext

from notifications.clients.telegram_call import Button
from notifications.services.bot import settings_page as page
from notifications.services.bot.ask import Ask, by_the_chat, refusal_words
from notifications.services.bot.chat_state import expect
from notifications.services.bot.registry import typed
from notifications.services.preferences import set_daily_cap, set_quiet_hours, set_timezone
from notifications.services.reply import Effect, TextReply, rendered
from users.services import SettingError, change_settings

LARGEST_CAPITAL = Decimal("99999999999999.99")
NUMBER = re.compile(r"\d{1,20}(\.\d{1,8})?")
HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?")


@typed("capital")
def capital(ask: Ask) -> Effect:
    """1000, 2'500.50, 2 500,50."""

    def change() -> None:
        amount = number(ask.argument, "capital")
        if amount > LARGEST_CAPITAL:
            raise SettingError("capital")
        with by_the_chat("capital"):
            change_settings(subscriber_id=ask.person.pk, capital=amount.quantize(Decimal("0.01")))

    return _settled(ask, "capital", change)


@typed("share")
def risk_per_trade(ask: Ask) -> Effect:
    """A percentage: 1, 0.5 %."""

    def change() -> None:
        share = number(ask.argument.replace("%", ""), "risk_fraction") / 100
        if share > 1:
            raise SettingError("risk_fraction")
        with by_the_chat("risk per trade"):
            change_settings(subscriber_id=ask.person.pk, risk_fraction=share.quantize(Decimal("0.0001")))

    return _settled(ask, "share", change)


@typed("cap")
def daily_cap(ask: Ask) -> Effect:
    def change() -> None:
        text = ask.argument.strip()
        if not text.isdecimal() or len(text) > 6:
            raise SettingError("daily_cap")
        set_daily_cap(subscriber=ask.person, cap=int(text))

    return _settled(ask, "cap", change)


@typed("quiet")
def quiet_hours(ask: Ask) -> Effect:
    """22:00-07:00, 22-7."""

    def change() -> None:
        found = HOURS.fullmatch(ask.argument.strip())
        if found is None:
            raise SettingError("quiet_hours")
        hours = [int(part or 0) for part in found.groups()]
        if max(hours[0], hours[2]) > 23 or max(hours[1], hours[3]) > 59:
            raise SettingError("quiet_hours")
        quiet = (time(hours[0], hours[1]), time(hours[2], hours[3]))
        set_quiet_hours(subscriber=ask.person, quiet=quiet)

    return _settled(ask, "quiet", change)


@typed("timezone")
def time_zone(ask: Ask) -> Effect:
    def change() -> None:
        set_timezone(subscriber=ask.person, name=ask.argument.strip().replace(" ", "_"))

    return _settled(ask, "timezone", change)


def number(text: str, setting: str) -> Decimal:
    """Separators of thousands are dropped, a comma before the last digits is the decimal one."""
    plain = re.sub(r"[\s'’_]", "", text)
    if "," in plain and "." not in plain and not re.fullmatch(r"\d{1,3}(,\d{3})+", plain):
        plain = plain.replace(",", ".")
    plain = plain.replace(",", "")
    if not plain.isascii() or not NUMBER.fullmatch(plain):
        raise SettingError(setting)
    try:
        return Decimal(plain)
    except InvalidOperation as error:
        raise SettingError(setting) from error


def _settled(ask: Ask, name: str, change: Callable[[], None]) -> Effect:
    """The overview when it is saved; what is wrong, and the question again, when it is not."""
    rows = [[Button(gettext("‹ Back"), "s:")]]
    try:
        change()
    except SettingError as error:
        expect(chat_id=ask.chat_id, setting=name, now=ask.now)
        html = rendered("settings_type", setting=name, refused=refusal_words(error))
        return Effect(f"setting refused: {error.reason}", TextReply(ask.chat_id, html, rows=rows))
    html = page.overview(page.reread(ask.person))
    return Effect(f"setting changed: {name}", TextReply(ask.chat_id, html, rows=page.menu()))
