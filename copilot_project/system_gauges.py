"""Gauges that are true at the moment of the scrape: one SQL statement each, no counter that a restart would lose.

No label names a person, a chat or what somebody chose.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString

from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

from copilot_project.config import BASE_DIR


@dataclass(frozen=True)
class Reading:
    """A statement whose rows are first the values of `labels`, then one number for each of `gauges`."""

    labels: tuple[str, ...]
    gauges: tuple[tuple[str, str], ...]
    sql: LiteralString


RESULTS = Reading(
    labels=("of",),
    gauges=(
        ("copilot_results", "Signals and trades that ended in the last seven days."),
        ("copilot_win_rate", "Share of them that earned something after costs."),
        ("copilot_expectancy_r", "Their mean result in units of the planned risk, after costs."),
        ("copilot_result_sharpe", "Mean by standard deviation of one result; not annualised."),
    ),
    sql="""
    WITH results (of, r) AS (
        SELECT 'signals', r_multiple FROM signals_signaloutcome WHERE exited_at > now() - interval '7 days'
        UNION ALL
        SELECT 'trades', r_multiple FROM autopilot_trade
        WHERE exited_at > now() - interval '7 days' AND r_multiple IS NOT NULL
    )
    SELECT of, count(*), avg((r > 0)::int)::float8, avg(r), avg(r) / nullif(stddev_samp(r), 0)
    FROM results GROUP BY of
    """,
)
CALIBRATION = Reading(
    labels=(),
    gauges=(
        ("copilot_calibrated_outcomes", "Signals of the last 30 days that stated a probability and ended."),
        ("copilot_calibration_gap", "Probability stated minus share that earned something; 0 is honest."),
    ),
    sql="""
    SELECT count(*), avg(s.probability) - avg((o.r_multiple > 0)::int)::float8
    FROM signals_signaloutcome o JOIN signals_signal s ON s.id = o.signal_id
    WHERE o.exited_at > now() - interval '30 days' AND s.probability IS NOT NULL
    """,
)
ABSTENTIONS = Reading(
    labels=("timeframe",),
    gauges=(
        ("copilot_decided", "Decisions of the last seven days that had something to publish."),
        ("copilot_abstention_ratio", "Share of them that the gate kept back."),
    ),
    sql="""
    SELECT timeframe, count(*), avg((outcome = 'abstained')::int)::float8
    FROM signals_evaluation
    WHERE candle_open_time > now() - interval '7 days' AND outcome IN ('signal', 'abstained') GROUP BY timeframe
    """,
)
CANDLES = Reading(
    labels=("exchange", "asset_class", "timeframe"),
    gauges=(("copilot_candles_late_seconds", "How long ago the oldest missing newest candle closed."),),
    sql="""
    SELECT e.code, i.asset_class, t.timeframe,
        greatest(0, max(extract(epoch FROM now() - n.open_time) - 2 * t.seconds))::float8
    FROM market_instrument i JOIN market_exchange e ON e.id = i.exchange_id
    CROSS JOIN (VALUES ('1h', 3600), ('4h', 14400), ('1d', 86400)) AS t (timeframe, seconds)
    CROSS JOIN LATERAL (
        SELECT max(open_time) AS open_time FROM market_candle c
        WHERE c.instrument_id = i.id AND c.timeframe = t.timeframe
    ) n
    WHERE i.is_active AND n.open_time IS NOT NULL GROUP BY 1, 2, 3
    """,
)
JOBS = Reading(
    labels=("kind",),
    gauges=(
        ("copilot_jobs_failed", "Jobs that failed in the last hour."),
        ("copilot_jobs_ended", "Jobs that ended in the last hour, however."),
        ("copilot_jobs_running", "Jobs that run now."),
    ),
    sql="""
    SELECT kind, count(*) FILTER (WHERE state = 'failed' AND ended_at > now() - interval '1 hour'),
        count(*) FILTER (WHERE ended_at > now() - interval '1 hour'),
        count(*) FILTER (WHERE state = 'running')
    FROM signals_job GROUP BY kind
    """,
)
WAITING = Reading(
    labels=("what",),
    gauges=(("copilot_work_waits_seconds", "Age of the oldest piece of work that nobody has begun."),),
    sql="""
    SELECT what, coalesce(extract(epoch FROM now() - oldest), 0)::float8 FROM (
        SELECT 'jobs' AS what, min(created_at) AS oldest FROM signals_job WHERE state = 'queued'
        UNION ALL
        SELECT 'updates', min(received_at) FROM notifications_telegramupdate WHERE processed_at IS NULL
    ) waiting
    """,
)
AUTOPILOTS = Reading(
    labels=("state",),
    gauges=(
        ("copilot_autopilots", "Autopilots by state."),
        ("copilot_autopilots_frozen", "Those of them that place no orders although they may."),
    ),
    sql="""
    SELECT state, count(*), count(*) FILTER (WHERE frozen_reason <> '' AND state <> 'stopped')
    FROM autopilot_instance GROUP BY state
    """,
)
ORDERS = Reading(
    labels=("state",),
    gauges=(("copilot_orders", "Orders of the last 24 hours by state."),),
    sql="SELECT state, count(*) FROM autopilot_order WHERE placed_at > now() - interval '1 day' GROUP BY state",
)
MODELS = Reading(
    labels=("kind", "state"),
    gauges=(("copilot_models", "Trained models by kind and state."),),
    sql="SELECT kind, state, count(*) FROM signals_trainedmodel GROUP BY kind, state",
)
CHAMPIONS = Reading(
    labels=("kind", "scope", "measure"),
    gauges=(("copilot_champion", "What the champion of a kind reached when it was trained."),),
    sql="""
    SELECT kind, scope, m.key, m.value::float8
    FROM signals_trainedmodel, LATERAL jsonb_each(metrics) AS m
    WHERE state = 'champion' AND jsonb_typeof(metrics) = 'object' AND jsonb_typeof(m.value) = 'number'
    """,
)
POLICIES = Reading(
    labels=("kind",),
    gauges=(
        (
            "copilot_policy_sharpe",
            "Yearly Sharpe ratio of a kind of policy on recent bars, mean over instruments.",
        ),
        ("copilot_policy_win_rate", "Share of the bars in the market that won, mean over instruments."),
        ("copilot_policy_speaks", "Instruments for which this kind of policy speaks."),
    ),
    sql="""
    SELECT r.key, avg((r.value->>'sharpe')::float8), avg((r.value->>'win_rate')::float8),
           count(*) FILTER (WHERE newest.kind = r.key)
    FROM (
        SELECT DISTINCT ON (instrument_id, timeframe) kind, records FROM signals_policychoice
        ORDER BY instrument_id, timeframe, fitted_through DESC
    ) AS newest, LATERAL jsonb_each(newest.records) AS r
    GROUP BY r.key
    """,
)
SYSTEM = Reading(
    labels=(),
    gauges=(
        ("copilot_alarms_open", "Alarms of the system that are not over."),
        ("copilot_database_bytes", "Size of the database."),
    ),
    sql="""
    SELECT (SELECT count(*) FROM signals_alarm WHERE cleared_at IS NULL), pg_database_size(current_database())
    """,
)
READINGS = (
    RESULTS,
    CALIBRATION,
    ABSTENTIONS,
    CANDLES,
    JOBS,
    WAITING,
    AUTOPILOTS,
    ORDERS,
    MODELS,
    CHAMPIONS,
    POLICIES,
    SYSTEM,
)


def read_all() -> Iterator[Metric]:
    """Every gauge; where a statement knows no number, there is no sample."""
    for reading in READINGS:
        yield from read(reading)
    yield GaugeMetricFamily(
        "copilot_disk_free_ratio",
        "Free share of the disk under the programs; with Docker the one that its volumes are on, unless moved.",
        value=disk_free_ratio(),
    )


def read(reading: Reading) -> list[GaugeMetricFamily]:
    families = [GaugeMetricFamily(name, text, labels=reading.labels) for name, text in reading.gauges]
    with connection.cursor() as cursor:
        cursor.execute(reading.sql)
        rows = cursor.fetchall()
    width = len(reading.labels)
    for row in rows:
        for family, value in zip(families, row[width:], strict=True):
            if value is not None:
                family.add_metric([str(label) for label in row[:width]], float(value))
    return families


def disk_free_ratio() -> float:
    disk = os.statvfs(BASE_DIR)
    return disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0
