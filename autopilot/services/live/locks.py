"""The locks that stand between a decision and an order at an exchange; all are read when the intent is written.

A setting, an arming by two persons that ends by itself, and a clean pre-flight: key, clock, reconciliation, freezes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from autopilot.engine.preflight import Refusal
from autopilot.models import Account, AccountKind, KeyState, LiveOrder
from signals.engine.cost_rates import MarketType
from signals.market.models import Instrument
from signals.selectors import exposure_allowed

FRESH_RECONCILIATION = timedelta(seconds=30)
LARGEST_OFFSET_MS = 1000
RATE_WINDOW = timedelta(minutes=1)
TITLES = {
    Refusal.LIVE_OFF: "Setting LIVE_TRADING_ALLOWED",
    Refusal.KILL_SWITCH: "Kill switch",
    Refusal.NO_KEY: "API key",
    Refusal.NOT_ARMED: "Arming",
    Refusal.NOT_RECONCILED: "Reconciliation",
    Refusal.CLOCK_OFFSET: "Clock",
    Refusal.SYMBOL_FROZEN: "Freezes",
}


@dataclass(frozen=True, slots=True)
class Lock:
    """`code` is a Refusal's value; `title` names what is looked at, whether it is open or not."""

    code: str
    title: str
    sentence: str
    is_open: bool


def locks(*, account: Account | None, now: datetime, instrument: Instrument | None = None) -> list[Lock]:
    """All of an account's, in the order in which they are asked; without an account they are shut."""
    key = getattr(account, "exchange_key", None) if account else None
    compared = getattr(account, "reconciliation", None) if account else None
    offset = compared.clock_offset_ms if compared else None
    told = [
        (Refusal.LIVE_OFF, bool(settings.LIVE_TRADING_ALLOWED)),
        (Refusal.KILL_SWITCH, exposure_allowed()),
        (
            Refusal.NO_KEY,
            key is not None
            and key.state == KeyState.USABLE
            and (instrument is None or key.exchange_id == instrument.exchange_id),
        ),
        (Refusal.NOT_ARMED, account is not None and account.armings.in_force(now).exists()),
        (
            Refusal.NOT_RECONCILED,
            compared is not None and compared.is_clean and compared.at > now - FRESH_RECONCILIATION,
        ),
        (Refusal.CLOCK_OFFSET, offset is not None and abs(offset) <= LARGEST_OFFSET_MS),
    ]
    if instrument is not None and account is not None:
        frozen = account.freezes.filter(instrument=instrument, lifted_at=None).exists()
        told.append((Refusal.SYMBOL_FROZEN, not frozen))
    return [Lock(code.value, TITLES[code], code.sentence, is_open) for code, is_open in told]


def refusal(
    *, now: datetime, account: Account | None = None, instrument: Instrument | None = None
) -> Lock | None:
    """The first lock that is shut; None where live trading may begin. By instrument: of its exchange's account."""
    if account is None and instrument is not None:
        account = live_account(instrument)
    return next(
        (lock for lock in locks(account=account, now=now, instrument=instrument) if not lock.is_open), None
    )


def live_account(instrument: Instrument) -> Account | None:
    """The open live account that has a key of the instrument's exchange and its currency; the oldest of several."""
    live = Account.objects.filter(kind=AccountKind.LIVE, is_open=True, currency=instrument.quote)
    return live.filter(exchange_key__exchange_id=instrument.exchange_id).order_by("created_at", "pk").first()


def entry_refusal(account: Account, instrument: Instrument, now: datetime) -> Refusal | None:
    """Why an entry may not be written, within the transaction that holds the account's lock."""
    if instrument.market_type != MarketType.SPOT:
        return Refusal.LIVE_NOT_AVAILABLE
    lock = refusal(account=account, instrument=instrument, now=now)
    if lock is not None:
        return Refusal(lock.code)
    allowed = account.max_orders_a_minute
    if allowed is not None and entries_sent_since(account, now - RATE_WINDOW) >= allowed:
        return Refusal.ORDER_RATE
    return None


def entries_sent_since(account: Account, moment: datetime) -> int:
    sent = LiveOrder.objects.filter(account=account, written_at__gt=moment)
    return sent.filter(Q(order__purpose="entry")).count()
