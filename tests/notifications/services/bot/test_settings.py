"""/settings: keyboards and typed answers, held to the tier, with a history."""

from datetime import time
from decimal import Decimal

import pytest

from notifications.models import DeliveryPreference, PreferenceInstrument
from notifications.services.fan_out import fan_out
from tests.factories import make_instrument
from tests.notifications.rows import make_signal, make_subscriber, make_tier
from tests.notifications.services.bot.conversation import NOW, Conversation
from users.models import Subscriber
from users.selectors import changes_of
from users.services import remove_subscriber

pytestmark = pytest.mark.django_db


@pytest.fixture
def chat() -> Conversation:
    make_subscriber(chat_id=77, tier=make_tier(max_sessions=2, account_types=["demo"]))
    return Conversation()


def person() -> Subscriber:
    return Subscriber.objects.select_related("preference").get(chat_id=77)


def test_every_setting_has_a_page_and_a_way_back(chat: Conversation) -> None:
    chat.write("/settings")
    for button in list(chat.buttons):
        chat.press(button.data)
        assert chat.buttons[-1].data == "s:"
        assert all(1 <= len(each.data.encode()) <= 64 for each in chat.buttons)
        assert "Your settings" in chat.press("s:")


def test_sessions_are_chosen_up_to_the_number_of_the_tier(chat: Conversation) -> None:
    for name in ("london", "asia", "new_york"):
        chat.press(f"s:sessions:{name}")
    assert chat.outcome == "setting refused: sessions"
    assert person().preference.sessions == ["london", "asia"]
    assert [button.text for button in chat.buttons][:3] == ["✓ London", "New York", "✓ Asia"]
    chat.press("s:sessions:london")
    chat.press("s:sessions:new_york")
    assert person().preference.sessions == ["asia", "new_york"]


def test_account_type_that_the_tier_does_not_take_is_refused(chat: Conversation) -> None:
    chat.press("s:account:live")
    assert chat.outcome == "setting refused: account_type"
    assert person().account_type == "demo"


def test_choices_are_saved(chat: Conversation) -> None:
    for data in ("s:risk:low", "s:quiet:22-7", "s:cap:3"):
        chat.press(data)
    found = person()
    assert found.risk_profile == "low"
    assert (found.preference.quiet_from, found.preference.quiet_until) == (time(22), time(7))
    assert found.preference.daily_cap == 3
    for data in ("s:quiet:none", "s:cap:none"):
        chat.press(data)
    assert (person().preference.quiet_from, person().preference.daily_cap) == (None, None)


def test_language_is_that_of_the_next_page(chat: Conversation) -> None:
    chat.press("s:language:de")
    assert person().language == "de"
    chat.press("s:language:en")
    assert "Your settings" in chat.press("s:")


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("capital", "2500", "capital", Decimal(2500)),
        ("capital", " 12'500.50 ", "capital", Decimal("12500.50")),
        ("capital", "1.500.000", "capital", None),
        ("capital", "12,5", "capital", Decimal("12.50")),
        ("capital", "1,500,000", "capital", Decimal(1500000)),
        ("capital", "-1", "capital", None),
        ("capital", "1e9", "capital", None),
        ("capital", "NaN", "capital", None),
        ("capital", "٣٤", "capital", None),
        ("capital", "9" * 40, "capital", None),
        ("share", "1.5 %", "risk_fraction", Decimal("0.0150")),
        ("share", "100", "risk_fraction", Decimal(1)),
        ("share", "101", "risk_fraction", None),
    ],
)
def test_numbers_are_typed(
    chat: Conversation, name: str, text: str, field: str, value: Decimal | None
) -> None:
    before = getattr(person(), field)
    chat.press(f"s:{name}")
    chat.write(text)
    assert getattr(person(), field) == (before if value is None else value)
    assert chat.outcome.startswith("setting refused" if value is None else "setting changed")


def test_after_a_refusal_the_next_text_is_taken_and_after_that_none(chat: Conversation) -> None:
    chat.press("s:capital")
    chat.write("much")
    chat.write("700")
    assert person().capital == 700
    chat.write("800")
    assert (chat.outcome, person().capital) == ("asked for help", 700)


def test_command_ends_the_question(chat: Conversation) -> None:
    chat.press("s:capital")
    chat.write("/help")
    chat.write("700")
    assert person().capital == 10_000


@pytest.mark.parametrize(
    ("text", "hours"),
    [("22:30-07:00", (time(22, 30), time(7))), ("0-8", (time(0), time(8))), ("24-7", None), ("7-7", None)],
)
def test_quiet_hours_are_typed(chat: Conversation, text: str, hours: tuple[time, time] | None) -> None:
    chat.press("s:quiet:type")
    chat.write(text)
    wish = DeliveryPreference.objects.filter(subscriber=person()).first()
    assert (wish and wish.quiet_from and (wish.quiet_from, wish.quiet_until)) == hours


def test_time_zone_is_typed(chat: Conversation) -> None:
    chat.press("s:timezone")
    chat.write("Europe/Atlantis")
    chat.write("America/New York")
    assert person().preference.timezone == "America/New_York"


@pytest.mark.parametrize(
    "data", ["s:sessions:moon", "s:risk:", "s:quiet:99-7", "s:cap:0", "s:instruments:x", "s:nothing:1", "s"]
)
def test_button_that_nobody_could_have_pressed_changes_nothing(chat: Conversation, data: str) -> None:
    chat.press(data)
    assert not chat.outcome.startswith("setting changed")


def test_instruments_are_chosen_and_all_again(chat: Conversation) -> None:
    first, second = make_instrument(), make_instrument()
    gone = make_instrument(is_active=False)
    for instrument in (first, second, gone):
        chat.press(f"s:instruments:{instrument.pk}")
    assert chat.outcome == "setting refused: instrument"
    chat.press(f"s:instruments:{second.pk}")
    assert list(person().preference.instruments.all()) == [first]
    chat.press("s:instruments:all")
    assert not person().preference.instruments.exists()
    history = PreferenceInstrument.pgh_event_model.objects.order_by("pgh_id")
    assert list(history.values_list("pgh_label", "instrument_id")) == [
        ("chosen", first.pk),
        ("chosen", second.pk),
        ("dropped", second.pk),
        ("dropped", first.pk),
    ]


def test_settings_count_from_the_next_fan_out_on(chat: Conversation) -> None:
    one, other = make_instrument(), make_instrument()
    chat.press("s:sessions:london")
    assert fan_out(signal=make_signal(instrument=other)) == 1
    chat.press(f"s:instruments:{one.pk}")
    assert fan_out(signal=make_signal(instrument=other)) == 0
    assert fan_out(signal=make_signal(instrument=one)) == 1


def test_history_tells_who_changed_what_and_why(chat: Conversation) -> None:
    chat.press("s:cap:3")
    chat.press("s:cap:5")
    [change] = [each for each in changes_of(person().preference) if each.field == "daily cap"][:1]
    assert (change.old, change.new, change.by, change.why) == (
        3,
        5,
        "Telegram: the subscriber's chat",
        "daily cap",
    )
    chat.press("s:risk:low")
    assert [each.why for each in changes_of(person())] == ["risk profile"]


def test_history_of_settings_goes_with_the_person(chat: Conversation) -> None:
    chat.press("s:quiet:22-7")
    remove_subscriber(subscriber=person(), now=NOW)
    assert not DeliveryPreference.pgh_event_model.objects.exists()  # type: ignore[attr-defined]


def test_settings_of_a_chat_that_is_nobodys_are_not_shown() -> None:
    stranger = Conversation(chat_id=99)
    assert "not linked" in stranger.write("/settings")
    stranger.press("s:risk:low")
    assert stranger.outcome == "not a button of this chat"
