"""/kill (staff): engage the kill switch, after one question. Re-arming is never done by chat."""

from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext, gettext_noop

from notifications.clients.telegram_call import Button
from notifications.services.bot.ask import Ask, notice, say, show
from notifications.services.bot.registry import button, command
from notifications.services.reply import Effect, rendered
from signals.selectors import sending_allowed
from signals.services.kill_switch import engage

MAY_STOP = "signals.change_killswitch"
CONFIRM_WITHIN = timedelta(minutes=2)


@command("kill", gettext_noop("Stop everything that is sent (staff)"), for_staff=True)
def answer(ask: Ask) -> Effect:
    if ask.staff is None or not ask.staff.has_perm(MAY_STOP):
        return say(ask, "refused: no permission", "staff_refused", right=MAY_STOP)
    if not sending_allowed():
        return say(ask, "sending stopped already", "kill", step="engaged")
    asked = f"{int(ask.now.timestamp())}"
    rows = [[Button(gettext("Yes, stop everything"), f"k:y{asked}"), Button(gettext("No"), f"k:n{asked}")]]
    return say(ask, "asked to confirm the kill switch", "kill", rows=rows, step="ask")


@button("k", for_staff=True)
def confirm(ask: Ask) -> Effect:
    """The permission is read again, and an old question is not answered any more."""
    if ask.staff is None or not ask.staff.has_perm(MAY_STOP):
        return notice(ask, "refused: no permission", gettext("You may not do this any more."))
    if not ask.argument.startswith("y"):
        return show(ask, "kill switch left alone", rendered("kill", step="left"))
    if not is_fresh(ask.argument[1:], ask.now):
        return show(ask, "question too old", rendered("kill", step="old"))
    who = ask.staff.get_username()
    engage(reason=f"by Telegram, {who}", by=who, now=ask.now, address="Telegram")
    return show(ask, "sending stopped", rendered("kill", step="done"))


def is_fresh(asked_at: str, now: datetime) -> bool:
    """Whether the question, by its seconds since 1970, was asked within two minutes."""
    if not asked_at.isdecimal() or len(asked_at) > 11:
        return False
    age = now - datetime.fromtimestamp(int(asked_at), UTC)
    return -CONFIRM_WITHIN <= age <= CONFIRM_WITHIN
