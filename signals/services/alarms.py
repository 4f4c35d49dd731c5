"""Who fell silent, who sends nothing any more because Telegram refuses the bot's token, and which tasks keep failing.

Web, worker and sender all look, so that whoever is stopped is told by one that lives.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from signals.models import Alarm

logger = structlog.get_logger(__name__)

# How old a heartbeat may be: each comes every ten seconds or more often, and whoever looks does so every ten
# seconds or more often, so each alarm is raised 40 seconds after the last sign of life, a slow machine's delay apart.
# The worker for training may hold Python's lock for long while it compiles or loads torch.
PATIENCE_SECONDS = {"beat": 30, "worker": 30, "sender": 30, "web": 30, "training-worker": 90}
EXECUTOR = {"executor": 90}  # where live trading is allowed; an exchange that does not answer makes it slow

# What of many failed so often in a row, each time its task came to it, and has not been left alone since.
REPEATED = 3
LONGEST_DETAIL = 200
FORGOTTEN_SECONDS = 2 * 3_600

# A silence counts from the moment at which the one who looks began to: after a pause of the whole system
# nobody is accused of it. Idle workers live by beat's ticks: they are judged as of the last one that beat may have
# sent, and after an alarm about beat only when that has been over for their patience.
LOOK = """
WITH signs AS (
    SELECT name, beat_at, make_interval(secs => patience) AS patience
    FROM signals_heartbeat JOIN unnest(%(names)s::text[], %(patience)s::int[]) AS w (name, patience) USING (name)
), watched AS (
    SELECT name, beat_at, patience,
        CASE WHEN name LIKE '%%worker' THEN least(now(), (SELECT beat_at FROM signs WHERE name = 'beat'))
            ELSE now() END AS as_of,
        CASE WHEN name LIKE '%%worker' THEN
            (SELECT max(coalesce(cleared_at, now())) FROM signals_alarm WHERE name = 'beat') END AS excused_until
    FROM signs
), failing AS (
    SELECT task, item, error FROM market_itemfailure
    WHERE failures >= %(repeated)s AND failed_at > now() - make_interval(secs => %(forgotten)s)
), judged AS (
    SELECT name, format('no sign of life since %%s UTC', date_trunc('second', beat_at AT TIME ZONE 'UTC')) AS detail,
        greatest(beat_at, excused_until, %(watching_since)s) < as_of - patience AS is_wrong,
        beat_at >= now() - patience AS is_well
    FROM watched
    UNION ALL
    SELECT name || ' halted', detail, detail LIKE 'halted:%%', detail = ''
    FROM signals_heartbeat WHERE name = 'sender'
    UNION ALL
    SELECT 'task ' || task, left(format('%%s failed %%s times in a row or more, as did %%s others: %%s',
        min(item), %(repeated)s::int, count(*) - 1, min(error)), 200), true, false
    FROM failing GROUP BY task
    UNION ALL
    SELECT name, '', false, true FROM signals_alarm
    WHERE cleared_at IS NULL AND name LIKE 'task %%' AND name NOT IN (SELECT 'task ' || task FROM failing)
), cleared AS (
    UPDATE signals_alarm SET cleared_at = now()
    FROM judged WHERE signals_alarm.name = judged.name AND cleared_at IS NULL AND judged.is_well
    RETURNING signals_alarm.name
), raised AS (
    INSERT INTO signals_alarm (name, raised_at, detail)
    SELECT name, now(), detail FROM judged WHERE is_wrong
    ON CONFLICT (name) WHERE cleared_at IS NULL DO NOTHING
    RETURNING name, detail
)
SELECT name, detail FROM raised UNION ALL SELECT name, NULL FROM cleared
"""


def parameters(*, watching_since: datetime) -> dict[str, Any]:
    """What LOOK must know."""
    patience = PATIENCE_SECONDS | (EXECUTOR if settings.LIVE_TRADING_ALLOWED else {})
    return {
        "names": list(patience),
        "patience": list(patience.values()),
        "watching_since": watching_since,
        "repeated": REPEATED,
        "forgotten": FORGOTTEN_SECONDS,
    }


def look(*, watching_since: datetime) -> None:
    """Raise an alarm for each process that is silent for too long or halted, once; clear those of who is back."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK, parameters(watching_since=watching_since))
        tell(cursor.fetchall())


def set_alarm(*, name: str, detail: str, now: datetime) -> None:
    """Raise the alarm of that name, or say anew what is wrong; without a detail nothing is, and it is over."""
    standing = Alarm.objects.filter(name=name, cleared_at=None)
    if not detail:
        if standing.update(cleared_at=now):
            tell([(name, None)])
        return
    detail = detail[:LONGEST_DETAIL]
    _, is_new = Alarm.objects.get_or_create(
        name=name, cleared_at=None, defaults={"raised_at": now, "detail": detail}
    )
    if is_new:
        tell([(name, detail)])
    else:
        standing.update(detail=detail)


def tell(changes: Iterable[tuple[str, str | None]]) -> None:
    """Log what LOOK returned."""
    for name, detail in changes:
        if detail is None:
            logger.warning("alarm over: it works again", process=name)
        else:
            logger.error("alarm: silent, halted or failing", process=name, detail=detail)
