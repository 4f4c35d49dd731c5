"""Gauges are the rows' truth at the scrape."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from copilot_project.system_gauges import READINGS, disk_free_ratio, read, read_all
from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.models import Alarm, Job, JobState, PolicyChoice
from tests.factories import make_instrument, make_series, store
from tests.notifications.rows import make_outcome, make_signal

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)


def seconds_since(moment: datetime) -> float:
    """Until now, which is not NOW where other tests ran before."""
    return (datetime.now(UTC) - moment).total_seconds()


def values(name: str) -> dict[tuple[str, ...], float]:
    """Of one gauge, by its labels' values."""
    families = {family.name: family for reading in READINGS for family in read(reading)}
    return {tuple(sample.labels.values()): sample.value for sample in families[name].samples}


def test_results_of_the_last_seven_days() -> None:
    results = (1.5, -1.0, -1.0, 2.5)
    for r in results:
        signal = make_signal(published_at=NOW - timedelta(hours=5))
        make_outcome(signal=signal, r_multiple=r, best_r=max(r, 0), worst_r=min(r, 0))
    old = make_signal(published_at=NOW - timedelta(days=9))
    make_outcome(signal=old, r_multiple=9.0, best_r=9.0)
    assert values("copilot_results") == {("signals",): 4}
    assert values("copilot_win_rate") == {("signals",): 0.5}
    assert values("copilot_expectancy_r")[("signals",)] == pytest.approx(np.mean(results))
    assert values("copilot_result_sharpe")[("signals",)] == pytest.approx(
        np.mean(results) / np.std(results, ddof=1)
    )


def test_calibration_gap_is_stated_minus_came() -> None:
    stated = {"probability": 0.7, "probability_low": 0.6, "probability_high": 0.8, "probability_n": 50}
    for r in (1.0, -1.0):
        signal = make_signal(published_at=NOW - timedelta(hours=5), **stated)
        make_outcome(signal=signal, r_multiple=r, best_r=1.0, worst_r=-1.0)
    assert values("copilot_calibrated_outcomes") == {(): 2}
    assert values("copilot_calibration_gap")[()] == pytest.approx(0.2)


def test_candles_are_late_from_the_next_close_on() -> None:
    instrument = make_instrument()
    series = make_series(bars=3, start=NOW - timedelta(hours=5))
    store(instrument, Timeframe.H1, series)  # the newest opened three hours ago, the next closed an hour ago
    assert values("copilot_candles_late_seconds")[("binance", "crypto", "1h")] == pytest.approx(
        seconds_since(NOW - timedelta(hours=1)), abs=30
    )
    fresh = make_instrument(is_active=True)
    store(fresh, Timeframe.H1, OHLCV(*(getattr(series, name) for name in OHLCV.__dataclass_fields__)))
    assert len(values("copilot_candles_late_seconds")) == 1


def test_jobs_alarms_and_waiting_work() -> None:
    common = {"kind": "backtest", "code_version": "x", "created_at": NOW - timedelta(hours=3)}
    Job.objects.create(
        state=JobState.FAILED, error="broken", ended_at=NOW, started_at=NOW - timedelta(minutes=1), **common
    )
    Job.objects.create(**common)
    Alarm.objects.create(name="beat", raised_at=NOW, detail="silent")
    assert values("copilot_jobs_failed") == {("backtest",): 1}
    assert values("copilot_jobs_ended") == {("backtest",): 1}
    assert values("copilot_work_waits_seconds")[("jobs",)] == pytest.approx(
        seconds_since(NOW - timedelta(hours=3)), abs=30
    )
    assert values("copilot_work_waits_seconds")[("updates",)] == 0
    assert values("copilot_alarms_open") == {(): 1}
    assert values("copilot_database_bytes")[()] > 1_000_000


def test_an_empty_system_has_gauges_without_made_up_numbers() -> None:
    assert values("copilot_win_rate") == {}
    assert values("copilot_calibration_gap") == {}
    assert 0 < disk_free_ratio() <= 1
    names = [family.name for family in read_all()]
    assert len(names) == len(set(names))


def test_policies_by_kind_on_their_newest_record() -> None:
    instruments = [make_instrument(), make_instrument()]
    for place, instrument in enumerate(instruments):
        for age, kind in ((1, "dqn"), (0, ("ppo", "")[place])):
            PolicyChoice.objects.create(
                instrument=instrument,
                timeframe="1h",
                fitted_through=NOW - timedelta(days=age),
                fitted_at=NOW,
                known_at=NOW,
                kind=kind,
                records={
                    "ppo": {"sharpe": 1.0 - place, "win_rate": 0.5},
                    "dqn": {"sharpe": None, "win_rate": None},
                },
            )
    assert values("copilot_policy_sharpe") == {("ppo",): 0.5}
    assert values("copilot_policy_win_rate") == {("ppo",): 0.5}
    assert values("copilot_policy_speaks") == {("ppo",): 1, ("dqn",): 0}
