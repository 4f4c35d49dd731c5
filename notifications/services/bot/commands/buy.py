"""The buttons of /tier with which a tier is paid in Telegram Stars, and the payment itself."""

from django.utils.translation import gettext, override

from notifications.clients.telegram_call import Button, Keyboard
from notifications.services import update
from notifications.services.bot.ask import Ask, notice
from notifications.services.bot.registry import button
from notifications.services.reply import Effect, Invoice, text_reply
from notifications.services.stars import offer_for, record_payment, record_refund, sold_tiers
from users.models import Subscriber


def buy_buttons(subscriber: Subscriber) -> Keyboard:
    """One for each tier that is sold; none where Stars are switched off."""
    words = gettext("%(tier)s: %(days)d days for %(stars)d ⭐")
    return [
        [
            Button(
                words % {"tier": tier.name, "days": tier.stars_days, "stars": tier.stars_price},
                f"b:{tier.code}",
            )
        ]
        for tier in sold_tiers(subscriber)
    ]


@button("b")
def buy(ask: Ask) -> Effect:
    """An invoice, which names subscriber, tier and price."""
    tier = next((each for each in sold_tiers(ask.person) if each.code == ask.argument), None)
    if tier is None:
        return notice(ask, "not sold", gettext("This is not sold here."))
    offer = offer_for(subscriber=ask.person, tier=tier)
    invoice = Invoice(
        chat_id=ask.chat_id,
        title=f"{tier.name}"[:32],
        description=gettext("%(days)d days of %(tier)s. No refund of losses; ask your team to cancel.")
        % {"days": offer.days, "tier": tier.name},
        payload=offer.payload,
        stars=offer.stars,
    )
    return notice(ask, "invoice", "", followed_by=invoice)


def paid(payment: update.Paid, ask: Ask) -> Effect:
    """Counted once by its charge id, whoever the chat is."""
    row, is_new = record_payment(
        user_id=payment.chat_id,
        charge_id=payment.charge_id,
        currency=payment.currency,
        stars=payment.stars,
        payload=payment.payload,
        now=ask.now,
    )
    if not is_new:
        return Effect("paid already")
    if row.subscriber is None:
        return Effect("paid, but for nothing of ours", text_reply(ask.chat_id, "paid", subscriber=None))
    row.subscriber.refresh_from_db()
    with override(row.subscriber.language):
        reply = text_reply(ask.chat_id, "paid", subscriber=row.subscriber, tier=row.tier, stars=row.stars)
    return Effect("paid", reply)


def refunded(refund: update.Refunded, ask: Ask) -> Effect:
    is_new = record_refund(charge_id=refund.charge_id, now=ask.now)
    return Effect("refunded", text_reply(ask.chat_id, "refunded")) if is_new else Effect("refunded already")
