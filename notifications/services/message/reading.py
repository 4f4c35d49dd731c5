"""Where the facts of a message stand in the database: one FROM for the claim and the preview.

Both give it `d`, a delivery or what would be one (kind, signal_id, subscriber_id), and `others` (long, short).
"""

from notifications.services.eligibility import SUBSCRIBERS
from notifications.services.message.facts import OutcomeFacts, Recipient, SignalFacts, columns_of, names_of

RECORD_SIGNALS = 200  # the newest that had ended by publication: no tier may know of a later one yet
FACT_NAMES = [name for facts in (SignalFacts, Recipient, OutcomeFacts) for name in names_of(facts)]
FACT_COLUMNS = ",\n".join(columns_of(facts) for facts in (SignalFacts, Recipient, OutcomeFacts))

FACTS_FROM = f"""
    JOIN signals_signal g ON g.id = d.signal_id
    JOIN market_instrument i ON i.id = g.instrument_id
    JOIN market_exchange e ON e.id = i.exchange_id
    JOIN {SUBSCRIBERS} ON s.id = d.subscriber_id
    LEFT JOIN record ON d.kind = 'signal' AND record.signal_id = d.signal_id
    LEFT JOIN signals_signaloutcome ended ON d.kind = 'outcome' AND ended.signal_id = d.signal_id
    LEFT JOIN LATERAL (SELECT stop FROM signals_stopraise r WHERE r.signal_id = d.signal_id AND r.passes_entry
        ORDER BY r.candle_open_time LIMIT 1) AS raised ON d.kind = 'update'
"""  # noqa: S608  (constants only)


def record_of(signals: str) -> str:
    """The `record` of those signals, each once: how those before it ended, as it was known when it was published."""
    return f"""record AS MATERIALIZED (
    SELECT g.id AS signal_id, past.*
    FROM ({signals}) AS told
        JOIN signals_signal g ON g.id = told.signal_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS ended, count(*) FILTER (WHERE r_multiple > 0) AS won,
                coalesce(avg(r_multiple), 0) AS mean_r
            FROM (SELECT r_multiple FROM signals_signaloutcome WHERE recorded_at <= g.published_at
                ORDER BY sequence DESC LIMIT {RECORD_SIGNALS}) AS newest) AS past)"""  # noqa: S608
