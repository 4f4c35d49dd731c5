"""Telegram Stars: what is sold, the question before a payment, the payment, its refund. Each counts once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Subquery
from django.utils.translation import gettext, override
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from notifications.models import StarsPayment
from users.engine.subscriber import SubscriberStatus
from users.models import Subscriber, Tier
from users.services import extend_subscription, shorten_subscription

CURRENCY = "XTR"
LONGEST_ERROR = 300


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Payer(_Read):
    id: int = Field(ge=-(2**63), lt=2**63)


class _Checkout(_Read):
    id: str = Field(min_length=1, max_length=100)
    payer: _Payer = Field(alias="from")
    currency: str = ""
    total_amount: int = 0
    invoice_payload: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invoice is for. `payload` comes back with the payment and is held against the rows."""

    subscriber: UUID
    tier: str
    stars: int
    days: int

    @property
    def payload(self) -> str:
        return f"{self.subscriber.hex}:{self.tier}:{self.stars}:{self.days}"


def offer_of(payload: str) -> Offer | None:
    """None for what is no payload of ours."""
    match payload.split(":"):
        case [subscriber, tier, stars, days] if (
            stars.isdecimal() and days.isdecimal() and len(payload) <= 128
        ):
            try:
                return Offer(UUID(hex=subscriber), tier, int(stars), int(days))
            except ValueError:
                return None
    return None


def sold_tiers(subscriber: Subscriber) -> list[Tier]:
    """What the bot sells to this subscriber now; nothing where Stars are switched off."""
    if not settings.TELEGRAM_STARS or subscriber.status != SubscriberStatus.ACTIVE:
        return []
    tiers = Tier.objects.filter(stars_price__isnull=False).order_by("rank")
    return [tier for tier in tiers if subscriber.account_type in tier.account_types]


def offer_for(*, subscriber: Subscriber, tier: Tier) -> Offer:
    return Offer(subscriber.public_id, tier.code, tier.stars_price or 0, tier.stars_days)


def checkout_answer(payload: Any) -> dict[str, Any] | None:
    """The call with which Telegram's question before a payment is answered; None where it is none.

    From one read: whoever asks must be the subscriber whom the invoice names, active, and tier and price as they were.
    """
    asked = payload.get("pre_checkout_query") if isinstance(payload, dict) else None
    if asked is None:
        return None
    try:
        checkout = _Checkout.model_validate(asked)
    except ValidationError:
        return None
    answer = {"method": "answerPreCheckoutQuery", "pre_checkout_query_id": checkout.id}
    problem = _problem(checkout)
    return answer | ({"ok": False, "error_message": problem} if problem else {"ok": True})


def _problem(checkout: _Checkout) -> str:
    """Why it may not be paid; empty when it may."""
    offer = offer_of(checkout.invoice_payload)
    if offer is None or not settings.TELEGRAM_STARS:
        return gettext("This is not sold here.")
    tier = Tier.objects.filter(code=offer.tier)
    named = Subscriber.objects.filter(public_id=offer.subscriber).annotate(
        price=Subquery(tier.values("stars_price")),
        days=Subquery(tier.values("stars_days")),
        account_types=Subquery(tier.values("account_types")),
    )
    row = named.values(
        "chat_id", "status", "account_type", "language", "price", "days", "account_types"
    ).first()
    with override(row["language"] if row else "en"):
        if row is None or row["chat_id"] != checkout.payer.id:
            return gettext("This invoice is not yours. Ask for a new one by /tier.")
        if row["status"] != SubscriberStatus.ACTIVE:
            return gettext("Your subscription is archived: ask your team.")
        priced = (row["price"], row["days"], CURRENCY, row["price"])
        if priced != (offer.stars, offer.days, checkout.currency, checkout.total_amount):
            return gettext("The price has changed. Ask for a new invoice by /tier.")
        if row["account_type"] not in (row["account_types"] or []):
            return gettext("Your tier is not open to this account type.")
    return ""


def record_payment(
    *, user_id: int, charge_id: str, currency: str, stars: int, payload: str, now: datetime
) -> tuple[StarsPayment, bool]:
    """The row, and whether it is new. Whoever paid is given what the invoice said, whatever has changed since.

    A payment that fits no subscriber is kept as nobody's, with what is wrong: staff refund it.
    """
    offer = offer_of(payload)
    with transaction.atomic():
        payment, is_new = StarsPayment.objects.get_or_create(
            telegram_payment_charge_id=charge_id,
            defaults={"user_id": user_id, "stars": max(stars, 0), "paid_at": now, "note": "under way"},
        )
        if not is_new:
            return payment, False
        subscriber = Subscriber.objects.filter(public_id=offer.subscriber).first() if offer else None
        tier = Tier.objects.filter(code=offer.tier).first() if offer else None
        payment.note = ""
        if (
            offer is None
            or subscriber is None
            or tier is None
            or subscriber.status == SubscriberStatus.REMOVED
        ):
            payment.note = "no subscriber or tier of ours: refund it"
        elif (currency, stars) != (CURRENCY, offer.stars):
            payment.note = "another amount than the invoice's: refund it"
        else:
            payment.subscriber, payment.tier, payment.days = subscriber, tier, offer.days
            why = f"{stars} Stars for {offer.days} days"
            extend_subscription(subscriber_id=subscriber.pk, tier=tier, days=offer.days, now=now, why=why)
        payment.save()
    return payment, True


def ask_refund(*, payment: StarsPayment, by: str, now: datetime) -> bool:
    """Have the payment refunded by a worker; whether it was not asked for or done before."""
    open_ones = StarsPayment.objects.filter(pk=payment.pk, refunded_at=None)
    return bool(open_ones.update(refund_asked_at=now, refund_asked_by=by[:150], refund_error=""))


def waiting_refunds() -> list[StarsPayment]:
    """Asked for, not done, not refused. Telegram refunds a charge once, so that asking twice is harmless."""
    rows = StarsPayment.objects.filter(refund_asked_at__isnull=False, refunded_at=None, refund_error="")
    return list(rows.order_by("refund_asked_at")[:50])


def record_refund(*, charge_id: str, now: datetime) -> bool:
    """The Stars went back, and the days with them; whether this is news. Telegram may tell it twice."""
    with transaction.atomic():
        payment = (
            StarsPayment.objects.select_for_update().filter(telegram_payment_charge_id=charge_id).first()
        )
        if payment is None or payment.refunded_at is not None:
            return False
        payment.refunded_at, payment.refund_error = now, ""
        payment.save(update_fields=["refunded_at", "refund_error"])
        if payment.subscriber_id is not None and payment.days:
            why, by = f"refund of {payment.stars} Stars", payment.refund_asked_by or "Telegram"
            shorten_subscription(
                subscriber_id=payment.subscriber_id, days=payment.days, now=now, why=why, by=by
            )
    return True


def record_refund_error(*, payment: StarsPayment, error: str) -> None:
    StarsPayment.objects.filter(pk=payment.pk).update(refund_error=error[:LONGEST_ERROR])
