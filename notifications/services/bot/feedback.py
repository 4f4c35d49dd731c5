"""The two buttons under a signal: acted or ignored, and a change of mind until its end may be known."""

from datetime import datetime
from uuid import UUID

from notifications.models import Answer, Delivery, DeliveryKind, DeliveryState, Feedback
from notifications.selectors import end_may_be_known, visible_to
from notifications.services import update
from notifications.services.bot.ask import Ask
from notifications.services.message.buttons import pressed_button
from notifications.services.reply import Effect, answer_reply
from signals.services.weights import adjust_weight
from users.models import Subscriber

NOT_OURS = "not a button of this chat"


def is_feedback(data: str) -> bool:
    return pressed_button(data) is not None


def unknown_button(tap: update.Tap) -> Effect:
    return Effect(NOT_OURS, answer_reply(tap, known=False))


def answer_feedback(tap: update.Tap, ask: Ask) -> Effect:
    """The newest answer counts until the tier may know how the signal ended; the weight moves with it.

    Whether the end is on record already is not asked: before its release the tier must not learn that.
    """
    pressed = pressed_button(tap.data)
    delivery = _pressed_delivery(ask.subscriber, pressed[0], ask.now) if ask.subscriber and pressed else None
    if pressed is None or delivery is None:
        return unknown_button(tap)
    chosen = pressed[1]
    feedback, created = Feedback.objects.select_for_update().get_or_create(
        delivery=delivery, defaults={"answer": chosen.value, "answered_at": ask.now}
    )
    standing = Answer(feedback.answer)
    if created:
        _move(delivery, chosen, None, ask.now)
        return Effect(chosen.value, answer_reply(tap, delivery_id=delivery.public_id, answer=chosen))
    if standing is chosen:
        reply = answer_reply(tap, delivery_id=delivery.public_id, answer=standing)
        return Effect(f"already answered: {standing.value}", reply)
    if end_may_be_known(delivery, ask.now):
        reply = answer_reply(tap, delivery_id=delivery.public_id, answer=standing, is_late=True)
        return Effect(f"too late, stands: {standing.value}", reply)
    feedback.answer, feedback.answered_at, feedback.changes = chosen.value, ask.now, feedback.changes + 1
    feedback.save(update_fields=["answer", "answered_at", "changes"])
    _move(delivery, chosen, standing, ask.now)
    reply = answer_reply(tap, delivery_id=delivery.public_id, answer=chosen)
    return Effect(f"changed to {chosen.value}", reply)


def _pressed_delivery(subscriber: Subscriber, public_id: UUID, now: datetime) -> Delivery | None:
    signals = visible_to(subscriber, now).filter(kind=DeliveryKind.SIGNAL)
    rows = signals.select_related("signal__instrument", "subscriber__tier")
    return rows.filter(public_id=public_id).first()


def _move(delivery: Delivery, answer: Answer, before: Answer | None, now: datetime) -> None:
    """All who were given the signal share what its answers may move."""
    given = Delivery.objects.filter(signal_id=delivery.signal_id, kind=DeliveryKind.SIGNAL)
    exposed = given.exclude(state__in=[DeliveryState.DEAD, DeliveryState.EXPIRED]).count()
    adjust_weight(
        strategy=delivery.signal.strategy,
        instrument=delivery.signal.instrument,
        acted=answer is Answer.ACTED,
        instead_of=None if before is None else before is Answer.ACTED,
        exposed=exposed,
        now=now,
    )
