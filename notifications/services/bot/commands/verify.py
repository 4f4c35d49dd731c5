"""/verify: the receipt of a signal, which proves that it stands in the signed ledger."""

from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from notifications.clients.telegram_call import Button
from notifications.models import DeliveryKind
from notifications.selectors import last_visible, visible_to
from notifications.services.bot.ask import Ask, notice
from notifications.services.bot.registry import button, command
from notifications.services.message.words import LONGEST_NAME, one_line
from notifications.services.receipts import receipt_for
from notifications.services.reply import Document, Effect, TextReply, rendered
from signals.engine.ledger import canonical_json
from signals.selectors import sending_allowed

OFFERED = 5


@command("verify", gettext_noop("Proof that a signal is in the signed ledger"), only_asks=True)
def answer(ask: Ask) -> Effect:
    """Of the signals that this chat was given; none while the kill switch is engaged."""
    stopped = not sending_allowed()
    shown = [] if stopped else last_visible(ask.person, ask.now, count=OFFERED)
    rows = [
        [
            Button(
                f"{row.signal.direction.upper()} {one_line(row.signal.instrument.symbol, LONGEST_NAME)} · "
                f"{row.signal.published_at:%Y-%m-%d %H:%M}",
                f"v:{row.public_id.hex}",
            )
        ]
        for row, _ in shown
    ]
    reply = TextReply(
        ask.chat_id, rendered("verify", step="choose" if rows else "none", stopped=stopped), bool(rows), rows
    )
    return Effect("asked for receipts", reply)


@button("v")
def choose(ask: Ask) -> Effect:
    """The receipt as a file, once the first head after the tier's release is signed."""
    if not sending_allowed():
        return notice(ask, "no receipt: sending is stopped", gettext("Signals are stopped for now."))
    try:
        public_id = UUID(hex=ask.argument)
    except ValueError:
        return notice(ask, "not a button of this chat", gettext("This button belongs to no signal of yours."))
    rows = visible_to(ask.person, ask.now).filter(kind=DeliveryKind.SIGNAL, public_id=public_id)
    delivery = rows.select_related("signal").first()
    if delivery is None:
        return notice(ask, "not a button of this chat", gettext("This button belongs to no signal of yours."))
    signal_id = delivery.signal.public_id
    receipt = receipt_for(signal_public_id=signal_id, tier=ask.person.tier, now=ask.now)
    if receipt is None:
        return notice(
            ask, "no receipt yet", gettext("Its receipt comes with the next daily head of the ledger.")
        )
    file = Document(f"receipt-{signal_id}.json", canonical_json(receipt) + b"\n")
    text = rendered("verify", step="receipt", head=receipt["head"])
    return notice(
        ask, "receipt", gettext("Here it is."), followed_by=TextReply(ask.chat_id, text, True, document=file)
    )
