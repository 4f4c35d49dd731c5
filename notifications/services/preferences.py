"""What subscribers set for their deliveries, held to their tier. It counts from the next fan-out on."""

from collections.abc import Callable
from datetime import datetime, time
from zoneinfo import available_timezones

import pghistory
from django.db import transaction

from notifications.models import DeliveryPreference
from signals.engine.session import TradingSession
from signals.market.models import Instrument
from users.models import Subscriber
from users.services import SettingError

BY_CHAT = "Telegram: the subscriber's chat"
LARGEST_CAP = 1000


def toggle_session(*, subscriber: Subscriber, session: TradingSession) -> DeliveryPreference:
    """Choose a session or drop it; SettingError where the tier has no more of them."""

    def change(held: DeliveryPreference) -> None:
        chosen = [name for name in held.sessions if name != session.value]
        if len(chosen) == len(held.sessions):
            chosen.append(session.value)
            most = subscriber.tier.max_sessions
            if most is not None and len(chosen) > most:
                raise SettingError("sessions")
        held.sessions = chosen

    return _change(subscriber, "sessions", change)


def toggle_instrument(*, subscriber: Subscriber, instrument_id: int) -> DeliveryPreference:
    """Choose an instrument or drop it; with none chosen all come."""

    def change(held: DeliveryPreference) -> None:
        if held.instruments.filter(pk=instrument_id).exists():
            held.instruments.remove(instrument_id)
        elif Instrument.objects.filter(pk=instrument_id, is_active=True).exists():
            held.instruments.add(instrument_id)
        else:
            raise SettingError("instrument")

    return _change(subscriber, "instruments", change)


def choose_all_instruments(*, subscriber: Subscriber) -> DeliveryPreference:
    return _change(subscriber, "instruments", lambda held: held.instruments.clear())


def set_quiet_hours(*, subscriber: Subscriber, quiet: tuple[time, time] | None) -> DeliveryPreference:
    """From and until, by the subscriber's own clock; None: none."""
    if quiet and quiet[0] == quiet[1]:
        raise SettingError("quiet_hours")

    def change(held: DeliveryPreference) -> None:
        held.quiet_from, held.quiet_until = quiet or (None, None)

    return _change(subscriber, "quiet hours", change)


def set_timezone(*, subscriber: Subscriber, name: str) -> DeliveryPreference:
    if name not in available_timezones():
        raise SettingError("timezone")

    def change(held: DeliveryPreference) -> None:
        held.timezone = name

    return _change(subscriber, "time zone", change)


def set_daily_cap(*, subscriber: Subscriber, cap: int | None) -> DeliveryPreference:
    """Signals a day; None: as many as come. No publication waits for it, nor it for one."""
    if cap is not None and not 1 <= cap <= LARGEST_CAP:
        raise SettingError("daily_cap")

    def change(held: DeliveryPreference) -> None:
        held.daily_cap = cap

    return _change(subscriber, "daily cap", change)


def pause(*, subscriber: Subscriber, until: datetime | None, why: str) -> DeliveryPreference:
    """No signals before `until`; None: from now on again."""

    def change(held: DeliveryPreference) -> None:
        held.paused_until = until

    return _change(subscriber, why, change)


def _change(
    subscriber: Subscriber, why: str, change: Callable[[DeliveryPreference], None]
) -> DeliveryPreference:
    """In a transaction with the row locked; its history says who and why."""
    with pghistory.context(actor=BY_CHAT, user=BY_CHAT, why=why), transaction.atomic():
        DeliveryPreference.objects.get_or_create(subscriber=subscriber)
        held = DeliveryPreference.objects.select_for_update().get(subscriber=subscriber)
        change(held)
        held.save()
    return held
