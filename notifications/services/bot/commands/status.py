"""/status: a subscriber's settings; for staff, the state of the system."""

from django.utils.translation import gettext_noop

from notifications.models import SenderState
from notifications.selectors import deliveries_today
from notifications.services.answers import status
from notifications.services.bot.ask import Ask, say
from notifications.services.bot.registry import command
from notifications.services.reply import Effect
from signals.models import Alarm, KillSwitch
from signals.selectors import sending_allowed
from users.models import Subscriber

SEES_SIGNS_OF_LIFE = "signals.view_heartbeat"
MOST_ALARMS = 5


@command("status", gettext_noop("Your settings and your subscription"), for_anybody=True, only_asks=True)
def answer(ask: Ask) -> Effect:
    return Effect("asked for status", status(ask.subscriber, chat_id=ask.chat_id, now=ask.now))


@command("status", gettext_noop("System status (staff)"), for_staff=True, only_asks=True)
def answer_staff(ask: Ask) -> Effect:
    """The permission is read now: it may have been taken away since the chat was linked."""
    if ask.staff is None or not ask.staff.has_perm(SEES_SIGNS_OF_LIFE):
        return say(ask, "refused: no permission", "staff_refused", right=SEES_SIGNS_OF_LIFE)
    alarms = Alarm.objects.filter(cleared_at=None)
    return say(
        ask,
        "staff asked for status",
        "staff_status",
        is_armed=sending_allowed(),
        switch=KillSwitch.objects.first(),
        sender=SenderState.objects.first(),
        alarms=list(alarms[:MOST_ALARMS]),
        states=deliveries_today(ask.now),
        reachable=Subscriber.objects.reachable(ask.now).count(),
        now=ask.now,
    )
