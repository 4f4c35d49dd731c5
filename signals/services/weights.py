"""What subscribers' answers do: they order deliveries, and never touch a probability or the track record."""

from django.db import connection

from signals.market.models import Instrument

ACTED_FACTOR = 1.1
IGNORED_FACTOR = 0.9
LOWEST, HIGHEST = 0.5, 1.5


def adjust_weight(
    *, strategy: str, instrument: Instrument, acted: bool, instead_of: bool | None = None
) -> float:
    """Multiply the weight of a strategy on an instrument by 1.1 or 0.9, clamped to 0.5 to 1.5; return it.

    `instead_of`: the answer before a change of mind, whose factor is taken back.
    """
    factor = _factor(acted)
    if instead_of is not None:
        factor /= _factor(instead_of)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO signals_strategyweight AS standing (strategy, instrument_id, weight)
            VALUES (%(strategy)s, %(instrument)s, least(%(highest)s, greatest(%(lowest)s, %(factor)s)))
            ON CONFLICT (strategy, instrument_id) DO UPDATE
            SET weight = least(%(highest)s, greatest(%(lowest)s, standing.weight * %(factor)s))
            RETURNING weight
            """,
            {
                "strategy": strategy,
                "instrument": instrument.pk,
                "factor": factor,
                "lowest": LOWEST,
                "highest": HIGHEST,
            },
        )
        (weight,) = cursor.fetchone()
    return weight


def _factor(acted: bool) -> float:  # noqa: FBT001
    return ACTED_FACTOR if acted else IGNORED_FACTOR
