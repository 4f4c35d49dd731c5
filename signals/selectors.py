"""Reads over candles, evaluations, the ledger and the kill switch."""

from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from signals.engine.in_words import record_sentence
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import Candle, Instrument
from signals.models import (
    Alarm,
    Evaluation,
    Evidence,
    KillSwitch,
    KillSwitchState,
    LedgerHead,
    Signal,
    SignalSource,
    StopRaise,
    TradingState,
)
from signals.models.kill_switch import TRADING

LOOK_BACK = timedelta(days=7)
MAY_SWITCH = "signals.change_killswitch"


def candles_without_evaluation(*, exchange_code: str, as_of: datetime) -> list[tuple[int, datetime]]:
    """(instrument id, open time) of closed base candles that nobody has judged, oldest first.

    History that was loaded before the first evaluation of an instrument is not missing: of it, only the
    newest closed candle counts, because that one may still be published.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT candle.instrument_id, candle.open_time
            FROM market_instrument instrument
            JOIN market_exchange exchange ON exchange.id = instrument.exchange_id AND exchange.code = %(exchange)s
            CROSS JOIN LATERAL (
                SELECT coalesce(
                    (SELECT min(candle_open_time) FROM signals_evaluation
                     WHERE instrument_id = instrument.id AND timeframe = %(timeframe)s
                       AND source = %(source)s AND variant = ''),
                    (SELECT max(open_time) FROM market_candle
                     WHERE instrument_id = instrument.id AND timeframe = %(timeframe)s
                       AND open_time <= %(newest_open)s)
                ) AS opened_at
            ) AS first_judged
            JOIN market_candle candle
              ON candle.instrument_id = instrument.id AND candle.timeframe = %(timeframe)s
             AND candle.open_time >= greatest(first_judged.opened_at, %(oldest_open)s)
             AND candle.open_time <= %(newest_open)s
            WHERE instrument.is_active
              AND NOT EXISTS (
                SELECT FROM signals_evaluation evaluation
                WHERE evaluation.instrument_id = instrument.id AND evaluation.timeframe = %(timeframe)s
                  AND evaluation.candle_open_time = candle.open_time
                  AND evaluation.source = %(source)s AND evaluation.variant = '')
            ORDER BY candle.open_time, candle.instrument_id
            """,
            {
                "exchange": exchange_code,
                "timeframe": BASE_TIMEFRAME.value,
                "source": SignalSource.HYBRID.value,
                "newest_open": as_of - timedelta(seconds=BASE_TIMEFRAME.seconds),
                "oldest_open": as_of - LOOK_BACK,
            },
        )
        return cursor.fetchall()


def waiting_for_partner(*, partner_id: int, open_time: datetime) -> list[int]:
    """Ids of active instruments that may wait for this partner's candle: theirs is there and not judged yet."""
    candle = {"timeframe": BASE_TIMEFRAME.value, "instrument_id": OuterRef("pk")}
    judged = Evaluation.objects.filter(
        **candle, candle_open_time=open_time, source=SignalSource.HYBRID.value, variant=""
    )
    paired = Instrument.objects.active().filter(
        partnerchoice_set__partner_id=partner_id, partnerchoice_set__fitted_through__gte=open_time - LOOK_BACK
    )
    stored = Candle.objects.filter(**candle, open_time=open_time)
    waiting = paired.filter(Exists(stored), ~Exists(judged))
    return list(waiting.order_by("pk").values_list("pk", flat=True).distinct())


def leaf_hashes(*, size: int) -> list[bytes]:
    """Leaves of the ledger's Merkle tree over the first `size` entries; the database hashes, so no payload travels."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sha256('\\x00'::bytea || salt || payload) FROM signals_ledgerentry "
            "WHERE sequence <= %s ORDER BY sequence",
            [size],
        )
        return [bytes(leaf) for (leaf,) in cursor.fetchall()]


def newest_head_before(moment: datetime) -> LedgerHead | None:
    """The newest head that was signed at `moment` or before."""
    return LedgerHead.objects.filter(signed_at__lte=moment).first()


def sending_allowed() -> bool:
    """Whether signals may leave: the kill switch is not engaged; a row that is gone counts as engaged."""
    return KillSwitch.objects.exclude(state=KillSwitchState.ENGAGED).exists()


def trading_state(*, hold: bool = False) -> TradingState:
    """What the kill switch says; a row that is gone is HALTED. hold: nobody changes it in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT state FROM signals_killswitch {'FOR SHARE' if hold else ''}")  # noqa: S608
        row = cursor.fetchone()
    return TRADING[row[0]] if row else TradingState.HALTED


def exposure_allowed(*, hold: bool = False) -> bool:
    """Whether orders may add exposure."""
    return trading_state(hold=hold) is TradingState.ACTIVE


def standing_of_other_sources(signal: Signal) -> list[int]:
    """Ids of the instrument's signals of other sources that had neither ended nor expired when it was published."""
    others = Signal.objects.filter(
        instrument_id=signal.instrument_id,
        published_at__lte=signal.published_at,
        expires_at__gt=signal.published_at,
    ).exclude(source=signal.source)
    still_open = Q(outcome=None) | Q(outcome__recorded_at__gt=signal.published_at)
    return list(others.filter(still_open).order_by("pk").values_list("pk", flat=True))


def present_stop(*, signal: Signal, known_at: datetime) -> float:
    """Where the signal's stop stood by what had been recorded at `known_at`: now, less a tier's delay."""
    raised = StopRaise.objects.filter(signal=signal, recorded_at__lte=known_at).first()
    return raised.stop if raised else signal.stop_loss


def evidence_known(*, known_at: datetime) -> list[Evidence]:
    """What the newest measurement that was known then says of each kind, the best first."""
    newest = Evidence.objects.filter(known_at__lte=known_at).order_by("-known_at").first()
    if newest is None:
        return []
    rows = Evidence.objects.filter(known_at=newest.known_at)
    return list(rows.order_by(F("shrunk_mean").desc(nulls_last=True), "pk"))


def candidate_record(*, known_at: datetime) -> str:
    """One sentence on the registered rule: how often it wins, what is not proven; empty before it was measured."""
    for row in evidence_known(known_at=known_at):
        if row.candidate and row.n and row.hit_rate is not None and row.median is not None:
            carried = float("nan") if row.carried is None else row.carried
            told = record_sentence(hit_rate=row.hit_rate, median=row.median, carried=carried, n=row.n)
            return f"The {row.candidate} ({row.get_standing_display()}): {told}"
    return ""


def open_alarms() -> QuerySet[Alarm]:
    """Who is silent now, the latest first."""
    return Alarm.objects.filter(cleared_at=None)


def is_alone(user: AbstractBaseUser | AnonymousUser, right: str = MAY_SWITCH) -> bool:
    """Whether nobody else of the staff holds it (by itself, the kill switch), so that no second person can confirm."""
    backend = "django.contrib.auth.backends.ModelBackend"
    others = get_user_model().objects.with_perm(right, backend=backend).filter(is_staff=True)
    return not others.exclude(pk=user.pk or 0).exists()
