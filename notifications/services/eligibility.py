"""Who gets a signal, and why not: one SELECT, used by fan-out, by `why_not`, by replay and again by the claim.

The pieces speak of five aliases: `g` the signal, `i` its instrument, `s` the subscriber, `t` the tier, `p` the
preference (absent columns are NULL), and of `r.moment`, the instant at which the rules are judged.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from psycopg.types.json import Jsonb

from signals.services.arms import ArmInterval
from signals.services.weights import DECAYED
from users.engine.subscriber import MINIMUM_CONFIDENCE


class Exclusion(StrEnum):
    """Why a subscriber does not get a signal, in the order in which the reasons are looked for."""

    NOT_ACTIVE = "not_active"
    NOT_LINKED = "not_linked"
    UNREACHABLE = "unreachable"
    SUBSCRIPTION_NOT_BEGUN = "subscription_not_begun"
    SUBSCRIPTION_OVER = "subscription_over"
    ACCOUNT_TYPE = "account_type"
    CANNOT_BE_SHORTED = "cannot_be_shorted"
    EXPERIMENTAL = "experimental"
    CONFIDENCE = "confidence"
    SESSION = "session"
    INSTRUMENT = "instrument"
    PAUSED = "paused"
    QUIET_HOURS = "quiet_hours"
    OTHER_ARM = "other_arm"
    SUPERSEDED = "superseded"
    DAILY_CAP = "daily_cap"
    EXPIRES_BEFORE_RELEASE = "expires_before_release"
    SIGNAL_NOT_SENT = "signal_not_sent"

    @property
    def words(self) -> str:
        return WORDS[self]


WORDS = {
    Exclusion.NOT_ACTIVE: "The subscriber is archived or removed.",
    Exclusion.NOT_LINKED: "No Telegram chat is linked: send the subscriber a link.",
    Exclusion.UNREACHABLE: "Telegram refuses the chat: the bot is blocked there, or the chat is gone.",
    Exclusion.SUBSCRIPTION_NOT_BEGUN: "The subscription has not begun yet.",
    Exclusion.SUBSCRIPTION_OVER: "The subscription has ended.",
    Exclusion.ACCOUNT_TYPE: "The tier is not open to this account type.",
    Exclusion.CANNOT_BE_SHORTED: "The instrument is traded on a spot market, where nobody can go short.",
    Exclusion.EXPERIMENTAL: "The signal is experimental and the tier does not include those.",
    Exclusion.CONFIDENCE: "The confidence is below the minimum of the risk profile.",
    Exclusion.SESSION: "None of the subscriber's trading sessions was open at publication.",
    Exclusion.INSTRUMENT: "The subscriber chose other instruments.",
    Exclusion.PAUSED: "The subscriber paused deliveries.",
    Exclusion.QUIET_HOURS: "Released during the subscriber's quiet hours.",
    Exclusion.OTHER_ARM: "An experiment gives this subscriber the signals of another arm.",
    Exclusion.SUPERSEDED: "The subscriber was given a signal of another source on this instrument that still stands.",
    Exclusion.DAILY_CAP: "The subscriber's daily number of signals is used up.",
    Exclusion.EXPIRES_BEFORE_RELEASE: "The signal expires before the tier's delay is over.",
    Exclusion.SIGNAL_NOT_SENT: "The signal itself never reached the subscriber for certain.",
}

SUBSCRIBERS = """users_subscriber s
    JOIN users_tier t ON t.id = s.tier_id
    LEFT JOIN notifications_deliverypreference p ON p.subscriber_id = s.id"""

SUBSCRIBER_RULES = """
    WHEN s.status <> 'active' THEN 'not_active'
    WHEN s.chat_id IS NULL THEN 'not_linked'
    WHEN s.unreachable_reason <> '' THEN 'unreachable'
    WHEN s.subscription_starts_at > r.moment THEN 'subscription_not_begun'
    WHEN s.subscription_ends_at + CASE WHEN s.is_trial THEN interval '0' ELSE make_interval(days => t.grace_days) END
        <= r.moment THEN 'subscription_over'
    WHEN NOT s.account_type = ANY (t.account_types) THEN 'account_type'"""

# `p.sessions[1:n]`: a tier with two sessions hears the first two that were chosen, however many are.
SIGNAL_RULES = """
    WHEN g.direction = 'short' AND i.market_type = 'spot' THEN 'cannot_be_shorted'
    WHEN g.experimental AND NOT t.experimental THEN 'experimental'
    WHEN NOT g.confidence >= coalesce((%(minimum_confidence)s::jsonb ->> s.risk_profile)::float8, 'infinity')
        THEN 'confidence'
    WHEN t.max_sessions IS NOT NULL AND NOT coalesce(p.sessions[1:t.max_sessions] && g.sessions, false)
        THEN 'session'
    WHEN p.id IS NOT NULL
        AND EXISTS (SELECT FROM notifications_deliverypreference_instruments c WHERE c.deliverypreference_id = p.id)
        AND NOT EXISTS (
            SELECT FROM notifications_deliverypreference_instruments c
            WHERE c.deliverypreference_id = p.id AND c.instrument_id = g.instrument_id
        ) THEN 'instrument'"""

QUIET_RULES = """
    WHEN p.paused_until > r.moment THEN 'paused'
    WHEN p.quiet_from < p.quiet_until
        AND (r.moment AT TIME ZONE p.timezone)::time >= p.quiet_from
        AND (r.moment AT TIME ZONE p.timezone)::time < p.quiet_until THEN 'quiet_hours'
    WHEN p.quiet_from > p.quiet_until
        AND ((r.moment AT TIME ZONE p.timezone)::time >= p.quiet_from
            OR (r.moment AT TIME ZONE p.timezone)::time < p.quiet_until) THEN 'quiet_hours'"""

STANDING_RULES = SUBSCRIBER_RULES + SIGNAL_RULES + QUIET_RULES

# What became of a signal is owed to whoever was given the signal. The rules that choose signals (experimental,
# confidence, session, instrument, daily cap) chose this one when it went out; asking them again would hide the
# losses of somebody who has just narrowed the choice. Those about the subscriber hold as ever.
FOLLOW_UP_RULES = SUBSCRIBER_RULES + QUIET_RULES

# The arithmetic of `signals.engine.assignment`. Judged at publication only: what an arm's subscribers were given
# stays theirs when the experiment ends.
ARM_RULE = """
    WHEN g.arm_salt IS NOT NULL AND NOT coalesce((
            SELECT drawn.share >= g.arm_low AND drawn.share < g.arm_high
            FROM (SELECT ('x' || left(encode(sha256(convert_to(g.arm_salt || ':' || s.public_id, 'UTF8')), 'hex'), 8)
                )::bit(32)::bigint / 4294967296::float8) AS drawn (share)), false) THEN 'other_arm'"""

# One open direction per instrument and subscriber: what still stood at publication and was given to this subscriber.
STANDING_RULE = """
    WHEN cardinality(%(standing)s::bigint[]) > 0 AND EXISTS (
        SELECT FROM notifications_delivery d
        WHERE d.signal_id = ANY (%(standing)s::bigint[]) AND d.subscriber_id = s.id AND d.kind = 'signal'
            AND d.state NOT IN ('dead', 'expired')) THEN 'superseded'"""

# What the rule behind a reason compared, of `c`, a row of `candidates_sql`; a share is cut, not rounded, so that one
# below the limit never reads like the limit. Doubled signs are psycopg's.
FIGURES = """CASE c.reason
    WHEN 'not_active' THEN s.status
    WHEN 'unreachable' THEN s.unreachable_reason
    WHEN 'subscription_over' THEN 'ended ' || to_char(s.subscription_ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
        || ' UTC'
    WHEN 'account_type' THEN s.account_type || ' account, ' || t.name || ' takes '
        || array_to_string(t.account_types, ', ')
    WHEN 'confidence' THEN trim_scale(trunc((%(confidence)s::float8 * 100)::numeric, 1)) || ' %% < '
        || trim_scale(((%(minimum_confidence)s::jsonb ->> s.risk_profile)::numeric * 100)) || ' %%'
    WHEN 'session' THEN 'open: ' || coalesce(nullif(array_to_string(%(sessions)s::varchar[], ', '), ''), 'none')
        || '; chosen: ' || coalesce(nullif(array_to_string(p.sessions[1:t.max_sessions], ', '), ''), 'none')
    WHEN 'paused' THEN 'until ' || to_char(p.paused_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
    WHEN 'quiet_hours' THEN to_char(c.due_at AT TIME ZONE p.timezone, 'HH24:MI') || ' is between '
        || to_char(p.quiet_from, 'HH24:MI') || ' and ' || to_char(p.quiet_until, 'HH24:MI') || ', ' || p.timezone
    WHEN 'daily_cap' THEN p.daily_cap || ' of ' || p.daily_cap
    WHEN 'expires_before_release' THEN to_char(c.due_at AT TIME ZONE 'UTC', 'HH24:MI') || ' is not before '
        || to_char(%(expires_at)s::timestamptz AT TIME ZONE 'UTC', 'HH24:MI') || ' UTC'
    ELSE '' END"""

# A publication looks twice: first at those without a daily cap, then at those with one. Whoever lost theirs in between
# would be looked at by neither, so the second look is at new caps as well; no transaction lasts as long as that.
WEIGHT = DECAYED.replace("%(as_of)s::timestamptz", "g.published_at")
CAP_IS_NEW = "interval '1 hour'"

LIVE_DELIVERIES = """(SELECT subscriber_id, due_at FROM notifications_delivery
    WHERE kind = 'signal' AND state NOT IN ('dead', 'expired'))"""


def candidates_sql(deliveries: str = LIVE_DELIVERIES) -> str:
    """SELECT subscriber_id, tier, tier_rank, weight, due_at, is_capped, cap_is_new, reason (NULL = gets it) for every
    subscriber.

    Its parameters are those of `signal_parameters`. `deliveries` is a trusted FROM item with the columns
    subscriber_id and due_at, of which the daily cap counts those of the local day: by its date, for where the clock is
    put back over midnight the day's first hour comes twice; within hours around, so that an index finds them.
    """
    return f"""
SELECT s.id AS subscriber_id, t.code AS tier, t.rank AS tier_rank,
    coalesce((SELECT {WEIGHT} FROM signals_strategyweight w
        WHERE w.strategy = %(strategy)s AND w.instrument_id = %(instrument_id)s), 1) AS weight,
    r.moment AS due_at, p.daily_cap IS NOT NULL AS is_capped,
    coalesce(p.cap_changed_at > g.published_at - {CAP_IS_NEW}, false) AS cap_is_new,
    CASE {STANDING_RULES}{ARM_RULE}{STANDING_RULE}
    WHEN p.daily_cap IS NOT NULL AND p.daily_cap <= (
        SELECT count(*) FROM {deliveries} AS given
        WHERE given.subscriber_id = s.id
            AND (given.due_at AT TIME ZONE p.timezone)::date = (r.moment AT TIME ZONE p.timezone)::date
            AND given.due_at BETWEEN r.moment - interval '26 hours' AND r.moment + interval '26 hours'
        ) THEN 'daily_cap'
    WHEN r.moment >= g.expires_at THEN 'expires_before_release'
    END AS reason
FROM (SELECT %(instrument_id)s::bigint AS instrument_id, %(strategy)s::varchar AS strategy,
        %(direction)s::varchar AS direction, %(confidence)s::float8 AS confidence, %(sessions)s::varchar[] AS sessions,
        %(experimental)s::boolean AS experimental,
        %(published_at)s::timestamptz AS published_at, %(expires_at)s::timestamptz AS expires_at,
        %(arm_salt)s::text AS arm_salt, %(arm_low)s::float8 AS arm_low, %(arm_high)s::float8 AS arm_high) AS g
    JOIN market_instrument i ON i.id = g.instrument_id
    CROSS JOIN {SUBSCRIBERS}
    CROSS JOIN LATERAL (SELECT g.published_at + make_interval(secs => t.delay_seconds) AS moment) AS r
"""  # noqa: S608  (built from constants of this module and of its callers)


class SignalFacts(Protocol):
    """What the rules read of a signal, published or replayed."""

    @property
    def instrument_id(self) -> int: ...
    @property
    def strategy(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def sessions(self) -> Sequence[str]: ...
    @property
    def experimental(self) -> bool: ...
    @property
    def published_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...


def signal_parameters(
    signal: SignalFacts, arm: ArmInterval | None = None, standing: Sequence[int] = ()
) -> dict[str, Any]:
    """What `candidates_sql` must know of a signal; `arm`: whom alone it is for, in an experiment by subscriber.

    standing: ids of signals of other sources that still stood at its publication (`signals.selectors`).
    """
    return {
        "standing": list(standing),
        "arm_salt": arm and arm.salt,
        "arm_low": arm and arm.low,
        "arm_high": arm and arm.high,
        "instrument_id": signal.instrument_id,
        "strategy": signal.strategy,
        "direction": signal.direction,
        "confidence": signal.confidence,
        "sessions": list(signal.sessions),
        "experimental": signal.experimental,
        "published_at": signal.published_at,
        "expires_at": signal.expires_at,
        **rule_parameters(),
    }


def rule_parameters() -> dict[str, Any]:
    """What STANDING_RULES must know besides the rows."""
    return {
        "minimum_confidence": Jsonb({profile.value: least for profile, least in MINIMUM_CONFIDENCE.items()})
    }
