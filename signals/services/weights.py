"""What subscribers' answers do: they order deliveries, and never touch a probability or the track record."""

from datetime import datetime, timedelta

from django.db import connection

from signals.market.models import Instrument

ACTED_FACTOR = 1.1
IGNORED_FACTOR = 0.9
LOWEST, HIGHEST = 0.5, 1.5
HALF_LIFE = timedelta(days=30)

# Half of what is left of an opinion is gone after a month. `w` is a row of signals_strategyweight.
DECAYED = f"""(1 + (w.weight - 1) * power(0.5, greatest(0, extract(epoch FROM %(as_of)s::timestamptz
    - coalesce(w.changed_at, %(as_of)s::timestamptz)))::float8 / {HALF_LIFE.total_seconds()}))"""

ADJUST = f"""
INSERT INTO signals_strategyweight AS w (strategy, instrument_id, weight, changed_at, answers)
VALUES (%(strategy)s, %(instrument)s, least(%(highest)s, greatest(%(lowest)s, %(factor)s)),
    %(as_of)s::timestamptz, 1)
ON CONFLICT (strategy, instrument_id) DO UPDATE SET
    weight = least(%(highest)s, greatest(%(lowest)s, {DECAYED} * %(factor)s)),
    changed_at = greatest(w.changed_at, excluded.changed_at), answers = w.answers + 1
RETURNING weight
"""  # noqa: S608  (constants only)


def adjust_weight(
    *,
    strategy: str,
    instrument: Instrument,
    acted: bool,
    instead_of: bool | None = None,
    exposed: int = 1,
    now: datetime | None = None,
) -> float:
    """Multiply the weight of a strategy on an instrument by 1.1 or 0.9, clamped to 0.5 to 1.5; return it.

    What was left of earlier answers has decayed towards 1 until `now` (None: the database's). `exposed`: how many were
    shown the signal; they share its ten percent, so that what is sent to many has no louder voice. `instead_of`: the
    answer before a change of mind, whose factor is taken back.
    """
    factor = _factor(acted, exposed)
    if instead_of is not None:
        factor /= _factor(instead_of, exposed)
    with connection.cursor() as cursor:
        if now is None:
            cursor.execute("SELECT clock_timestamp()")
            (now,) = cursor.fetchone()
        cursor.execute(
            ADJUST,
            {
                "strategy": strategy,
                "instrument": instrument.pk,
                "factor": factor,
                "lowest": LOWEST,
                "highest": HIGHEST,
                "as_of": now,
            },
        )
        (weight,) = cursor.fetchone()
    return weight


def weight_at(weight: float, changed_at: datetime | None, now: datetime) -> float:
    """What is left of a stored weight at `now`; the arithmetic of DECAYED."""
    age = max(timedelta(0), now - (changed_at or now))
    return 1 + (weight - 1) * 0.5 ** (age / HALF_LIFE)


def _factor(acted: bool, exposed: int) -> float:  # noqa: FBT001
    return (ACTED_FACTOR if acted else IGNORED_FACTOR) ** (1 / max(exposed, 1))
