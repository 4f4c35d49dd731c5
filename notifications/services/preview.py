"""Any message as any subscriber would read it: the row that a claim would give, through the sender's own code."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import override

from notifications.models import DeliveryKind, SignalPicture
from notifications.selectors import visible_to
from notifications.services.answers import last_signals, status, welcome
from notifications.services.bot.ask import Ask
from notifications.services.bot.commands import COMMANDS
from notifications.services.message.compose import LONGEST_CAPTION, LONGEST_MESSAGE, Message, compose
from notifications.services.reply import TextReply
from notifications.services.risk import Record
from notifications.services.sender.rows import RECORD_SIGNALS, Claimed
from signals.models import Signal, SignalOutcome, StopRaise
from users.models import Subscriber

# What a command answers without changing anything.
ASKED = ("settings", "tier", "performance", "verify", "help")
NOBODYS = UUID(int=0)  # a preview's buttons name no delivery


@dataclass(frozen=True, slots=True)
class Preview:
    """`png` is the picture that would be sent, None where the text goes alone.

    `released_at` is the subscriber's by the tier as it is now; `is_visible` whether it has been sent already.
    """

    message: Message
    plain: Message
    repeat: Message
    png: bytes | None
    limit: int
    released_at: datetime
    is_visible: bool


def preview(*, signal: Signal, subscriber: Subscriber, kind: DeliveryKind, now: datetime) -> Preview | None:
    """None for the follow-up of a signal that has not ended. What else is open for the subscriber is not shown."""
    outcome = SignalOutcome.objects.filter(signal=signal).first()
    raised = StopRaise.objects.filter(signal=signal, passes_entry=True).order_by("candle_open_time").first()
    if (kind is DeliveryKind.OUTCOME and outcome is None) or (kind is DeliveryKind.UPDATE and raised is None):
        return None
    picture = SignalPicture.objects.filter(signal=signal, png__isnull=False).first()
    row = _row(signal, subscriber, kind, outcome, raised, picture)
    message = compose(row)
    known_at = signal.published_at
    if kind is DeliveryKind.OUTCOME and outcome:
        known_at = outcome.recorded_at
    elif kind is DeliveryKind.UPDATE and raised:
        known_at = raised.recorded_at
    return Preview(
        message=message,
        plain=compose(replace(row, is_plain=True)),
        repeat=compose(replace(row, is_repeat=True)),
        png=bytes(picture.png) if picture and picture.png and message.with_picture else None,
        limit=LONGEST_CAPTION if message.with_picture else LONGEST_MESSAGE,
        released_at=known_at + timedelta(seconds=subscriber.tier.delay_seconds),
        is_visible=visible_to(subscriber, now).filter(signal=signal, kind=kind).exists(),
    )


def preview_answers(*, subscriber: Subscriber, now: datetime) -> dict[str, str]:
    """Telegram's HTML of each answer, by what the subscriber does for it, in the subscriber's language."""
    chat_id = subscriber.chat_id or 0
    ask = Ask(chat_id=chat_id, now=now, subscriber=subscriber)
    with override(subscriber.language):
        answers = {
            "Opening the link": welcome(subscriber, chat_id=chat_id).html,
            "/status": status(subscriber, chat_id=chat_id, now=now).html,
            "/last": last_signals(subscriber, chat_id=chat_id, now=now).html,
        }
        for name in ASKED:
            reply = COMMANDS[name].answer(ask).reply
            if isinstance(reply, TextReply):
                answers[f"/{name}"] = reply.html
    return answers


def record_before(signal: Signal) -> Record:
    """As the claim reckons it."""
    before = SignalOutcome.objects.filter(recorded_at__lte=signal.published_at).order_by("-ledger_entry_id")
    results = list(before.values_list("r_multiple", flat=True)[:RECORD_SIGNALS])
    mean = sum(results) / len(results) if results else 0.0
    return Record(len(results), sum(result > 0 for result in results), mean)


def _row(
    signal: Signal,
    subscriber: Subscriber,
    kind: DeliveryKind,
    outcome: SignalOutcome | None,
    raised: StopRaise | None,
    picture: SignalPicture | None,
) -> Claimed:
    instrument = signal.instrument
    record = record_before(signal)
    return Claimed(
        id=0,
        public_id=NOBODYS,
        subscriber_id=subscriber.pk,
        state="pending",
        attempt_id=NOBODYS,
        attempts=0,
        is_repeat=False,
        is_plain=False,
        kind=kind.value,
        picture_id=picture.pk if picture and kind is DeliveryKind.SIGNAL else None,
        file_id="",
        reply_to=None,
        exit_reason=outcome.exit_reason if outcome else "",
        paid_price=outcome.entry_price if outcome else 0.0,
        exit_price=outcome.exit_price if outcome else 0.0,
        return_ratio=outcome.return_ratio if outcome else 0.0,
        r_multiple=outcome.r_multiple if outcome else 0.0,
        bars_held=outcome.bars_held if outcome else 0,
        is_ambiguous=bool(outcome and outcome.is_ambiguous),
        raised_stop=raised.stop if raised else 0.0,
        record_ended=record.ended,
        record_won=record.won,
        record_mean_r=record.mean_r,
        open_longs=0,
        open_shorts=0,
        age_seconds=float(subscriber.tier.delay_seconds),
        delay_seconds=subscriber.tier.delay_seconds,
        candle_open_time=signal.candle_open_time,
        published_at=signal.published_at,
        asset_class=instrument.asset_class,
        market_type=instrument.market_type,
        maker_bps=instrument.maker_bps,
        taker_bps=instrument.taker_bps,
        slippage_bps=instrument.slippage_bps,
        expires_at=signal.expires_at,
        seconds_left=0.0,
        chat_id=subscriber.chat_id or 0,
        language=subscriber.language,
        capital=subscriber.capital,
        capital_currency=subscriber.capital_currency,
        risk_fraction=subscriber.risk_fraction,
        signal_id=signal.public_id,
        direction=signal.direction,
        timeframe=signal.timeframe,
        confidence=signal.confidence,
        entry_price=signal.entry_price,
        stop_loss=signal.stop_loss,
        take_profit=signal.take_profit,
        plan=signal.plan,
        evidence=signal.evidence,
        probability=signal.probability,
        probability_n=signal.probability_n,
        probability_low=signal.probability_low,
        probability_high=signal.probability_high,
        reasons=signal.reasons,
        sessions=signal.sessions,
        experimental=signal.experimental,
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        exchange=instrument.exchange.name,
        is_simulated=instrument.exchange.is_simulated,
        tick_size=instrument.tick_size,
        lot_step=instrument.lot_step,
        minimum_amount=instrument.minimum_amount,
        minimum_notional=instrument.minimum_notional,
        fencing_token=0,
    )
