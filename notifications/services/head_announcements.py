"""Each signed head goes to a chat of the staff: whoever keeps the message can tell when history is rewritten."""

from datetime import datetime, timedelta

from django.conf import settings
from django.template.loader import render_to_string

from notifications.models import HeadAnnouncement, HeadPlace
from notifications.services.staff_alarms import send_to_staff
from signals.engine.ledger import canonical_json
from signals.models import LedgerHead

TOLD_FOR = timedelta(days=2)  # older ones stand on the track-record page; a new chat is not told the past


def tell_heads(*, now: datetime) -> int:
    """Send each head that was not sent yet to LEDGER_HEAD_CHAT_ID, the oldest first; how many Telegram has seen."""
    chat = settings.LEDGER_HEAD_CHAT_ID
    if chat is None or not settings.TELEGRAM_BOT_TOKEN:
        return 0
    told = 0
    recent = LedgerHead.objects.filter(signed_at__gt=now - TOLD_FOR).order_by("id")
    for head in recent.exclude(announcements__place=HeadPlace.CHAT):
        # Claimed before it is sent: of two workers, one tells it.
        claim, is_ours = HeadAnnouncement.objects.get_or_create(
            head=head, place=HeadPlace.CHAT, defaults={"announced_at": now}
        )
        if not is_ours:
            continue
        if not send_to_staff(message_of(head), [chat]):
            claim.delete()
            break
        told += 1
    return told


def message_of(head: LedgerHead) -> str:
    context = {"head": head, "line": canonical_json(head.as_json()).decode()}
    return render_to_string("notifications/telegram/ledger_head.html", context).strip()
