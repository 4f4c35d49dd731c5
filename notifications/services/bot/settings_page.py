"""What /settings shows: the overview, and the keyboard of each setting."""

from collections.abc import Sequence
from decimal import Decimal

from django.utils.translation import gettext, gettext_noop, override

from notifications.clients.telegram_call import Button, Keyboard
from notifications.models import DeliveryPreference
from notifications.services.answers import ACCOUNTS, PROFILES
from notifications.services.message.words import LONGEST_NAME, one_line
from notifications.services.reply import rendered
from signals.engine.session import TradingSession
from signals.market.models import Instrument
from users.engine.subscriber import AccountType, Language, RiskProfile
from users.models import Subscriber

PAGES = {
    "sessions": gettext_noop("Sessions"),
    "instruments": gettext_noop("Instruments"),
    "risk": gettext_noop("Risk profile"),
    "account": gettext_noop("Account"),
    "quiet": gettext_noop("Quiet hours"),
    "cap": gettext_noop("Daily cap"),
    "capital": gettext_noop("Capital"),
    "share": gettext_noop("Risk per trade"),
    "timezone": gettext_noop("Time zone"),
    "language": gettext_noop("Language"),
}
TYPED = ("capital", "share", "timezone")
ALSO_TYPED = {"quiet": "quiet", "cap": "cap"}
QUIET_CHOICES = ("22-7", "23-7", "0-8")
CAP_CHOICES = ("1", "3", "5", "10")
SHOWN_INSTRUMENTS = 8


def reread(subscriber: Subscriber) -> Subscriber:
    return Subscriber.objects.select_related("tier", "preference").get(pk=subscriber.pk)


def menu() -> Keyboard:
    """Two settings in a row."""
    buttons = [Button(gettext(words), f"s:{name}") for name, words in PAGES.items()]
    return [buttons[at : at + 2] for at in range(0, len(buttons), 2)]


def overview(subscriber: Subscriber) -> str:
    wish = preference_of(subscriber)
    instruments = [] if wish.pk is None else [each.symbol for each in wish.instruments.all()]
    return rendered(
        "settings",
        subscriber=subscriber,
        tier=subscriber.tier,
        sessions=", ".join(TradingSession(name).label for name in wish.sessions),
        instruments=one_line(", ".join(sorted(instruments)), 200),
        profile=gettext(PROFILES[subscriber.risk_profile]),
        account=gettext(ACCOUNTS[subscriber.account_type]),
        wish=wish,
        quiet=quiet_words(wish),
        capital=f"{subscriber.capital:,.2f}",
        share=percent_words(subscriber.risk_fraction),
        language=Language(subscriber.language).label,
    )


def setting(name: str, subscriber: Subscriber, *, first: int = 0) -> tuple[str, Keyboard]:
    """Its text, and the keyboard with the present choice ticked. `first`: of a long list, the page to show."""
    with override(subscriber.language):
        rows = [*_choices(name, subscriber, first), [Button(gettext("‹ Back"), "s:")]]
        return rendered(
            "settings_choose", setting=name, title=gettext(PAGES[name]), tier=subscriber.tier
        ), rows


def _choices(name: str, subscriber: Subscriber, first: int) -> Keyboard:
    wish = preference_of(subscriber)
    lists: dict[str, Sequence[tuple[str, str, bool]]] = {
        "sessions": [(s.label, s.value, s.value in wish.sessions) for s in TradingSession],
        "risk": [(gettext(PROFILES[p]), p.value, p == subscriber.risk_profile) for p in RiskProfile],
        "account": [(gettext(ACCOUNTS[a]), a.value, a == subscriber.account_type) for a in AccountType],
        "language": [(each.label, each.value, each == subscriber.language) for each in Language],
    }
    if name in lists:
        return [[_tick(words, f"s:{name}:{value}", chosen)] for words, value, chosen in lists[name]]
    if name == "quiet":
        return _quiet(wish)
    return _cap(wish) if name == "cap" else _instruments(wish, first)


def _cap(wish: DeliveryPreference) -> Keyboard:
    none = _tick(gettext("No cap"), "s:cap:none", wish.daily_cap is None)
    some = [_tick(each, f"s:cap:{each}", str(wish.daily_cap) == each) for each in CAP_CHOICES]
    return [some, [none, Button(gettext("Type it"), "s:cap:type")]]


def _quiet(wish: DeliveryPreference) -> Keyboard:
    now = wish.quiet_from and wish.quiet_until and f"{wish.quiet_from.hour}-{wish.quiet_until.hour}"
    some = [_tick(each.replace("-", "–"), f"s:quiet:{each}", each == now) for each in QUIET_CHOICES]
    none = _tick(gettext("None"), "s:quiet:none", wish.quiet_from is None)
    return [some, [none, Button(gettext("Type it"), "s:quiet:type")]]


def _instruments(wish: DeliveryPreference, first: int) -> Keyboard:
    """A page of them, the chosen ones ticked."""
    chosen = set() if wish.pk is None else set(wish.instruments.values_list("pk", flat=True))
    found = Instrument.objects.filter(is_active=True).order_by("symbol", "pk")
    start = first * SHOWN_INSTRUMENTS
    listed = list(found[start : start + SHOWN_INSTRUMENTS + 1])
    rows: list[list[Button]] = [[_tick(gettext("All of them"), "s:instruments:all", not chosen)]]
    buttons = [
        _tick(one_line(each.symbol, LONGEST_NAME), f"s:instruments:{each.pk}", each.pk in chosen)
        for each in listed[:SHOWN_INSTRUMENTS]
    ]
    rows += [buttons[at : at + 2] for at in range(0, len(buttons), 2)]
    turn = [Button("«", f"s:instruments:page{first - 1}")] if first else []
    turn += [Button("»", f"s:instruments:page{first + 1}")] if len(listed) > SHOWN_INSTRUMENTS else []
    return [*rows, turn] if turn else rows


def preference_of(subscriber: Subscriber) -> DeliveryPreference:
    """The row, or an unsaved one where nothing was chosen yet."""
    found: DeliveryPreference | None = getattr(subscriber, "preference", None)
    return found or DeliveryPreference(subscriber=subscriber)


def quiet_words(wish: DeliveryPreference) -> str:
    """22:00–07:00; empty for none."""
    return f"{wish.quiet_from:%H:%M}–{wish.quiet_until:%H:%M}" if wish.quiet_from and wish.quiet_until else ""


def percent_words(ratio: Decimal) -> str:
    return f"{(Decimal(ratio) * 100).normalize():f}"


def _tick(words: str, data: str, is_chosen: bool) -> Button:  # noqa: FBT001
    return Button(f"✓ {words}" if is_chosen else words, data)
