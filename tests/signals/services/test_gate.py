"""What is published and what is kept back: by rows that were known at the close, and nothing else."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from research.services.evidence import is_due, measure_evidence
from signals.engine.candidates import TREND_KIND
from signals.engine.evidence import Measured, SignalKind
from signals.engine.exit_plan import PlanKind
from signals.engine.timeframe import Timeframe
from signals.engine.trend import breakouts, trades
from signals.engine.trend_reasons import Reason
from signals.market.models import Exchange, Instrument
from signals.models import Evaluation, Evidence, ShadowOutcome, Signal, SignalOutcome
from signals.services import trend
from signals.services.evaluation import evaluate_close, evaluate_trend
from signals.services.evidence import Ended, record_evidence
from signals.services.outcomes import record_outcomes
from signals.services.shadows import follow_shadows
from tests.factories import make_instrument, make_series, merge_bars, store, tail

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR, BAR = timedelta(hours=1), timedelta(hours=4)
SERIES = make_series(bars=24 * 340, start=START, seed=2)
STORED = {
    Timeframe.H1: tail(SERIES, 1_600),
    Timeframe.H4: tail(merge_bars(SERIES, Timeframe.H4), 900),
    Timeframe.D1: merge_bars(SERIES, Timeframe.D1),
}
LATE = START + timedelta(days=400)

pytestmark = pytest.mark.django_db


def opened(row: int) -> datetime:
    return datetime.fromtimestamp(int(STORED[Timeframe.H4].open_time[row]) / 1000, UTC)


def breakout_close() -> datetime:
    """The decision of a trade that ends within the candles, with 500 bars of 4h before it."""
    done = trades(STORED[Timeframe.H4])
    return opened(next(int(row) for row in done.rows if row > 520)) + BAR


@pytest.fixture
def real() -> Instrument:
    """On an exchange that is not simulated."""
    exchange = Exchange.objects.create(code="kraken", name="Kraken", is_simulated=False)
    return stored(make_instrument(exchange=exchange, symbol="BTC/USD", base="BTC", quote="USD"))


def stored(instrument: Instrument) -> Instrument:
    for timeframe, candles in STORED.items():
        store(instrument, timeframe, candles)
    return instrument


def decide(instrument: Instrument, closed_at: datetime) -> Evaluation:
    evaluation = evaluate_trend(instrument=instrument, candle_open_time=closed_at - BAR, as_of=closed_at)
    assert evaluation is not None
    return evaluation


def test_a_reason_that_may_end_a_trade_does_and_is_named(
    real: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trend.VETOES, "blend", "measured")
    monkeypatch.setattr(trend, "reasons_of", lambda heard: (Reason("blend", -0.2, True),))
    evaluation = decide(real, breakout_close())
    assert evaluation.outcome == "refused"
    assert evaluation.reason.startswith("blend ends it (measured); the 4h close is the highest")
    assert evaluation.features["reason blend"] == -0.2


def known(measured: Measured, *, at: datetime, standing: str = "promising") -> Evidence:
    kind = TREND_KIND
    return Evidence.objects.create(
        source=kind.source,
        group=kind.group,
        side=kind.side,
        plan=kind.plan.value,
        asset_class=kind.asset_class,
        history_from=START,
        n=measured.n,
        weeks=measured.weeks,
        shrunk_mean=measured.mean,
        shrunk_error=measured.standard_error,
        standing=standing,
        reason="",
        known_at=at,
        measured_at=at,
    )


STUDY = Measured(216, 90, 0.45, 0.24)


def test_without_evidence_a_decision_abstains_says_why_and_is_followed_all_the_same(
    real: Instrument,
) -> None:
    closed_at = breakout_close()
    evaluation = decide(real, closed_at)

    assert evaluation.outcome == "abstained"
    assert evaluation.reason.startswith(
        "abstained: no evidence was measured for hybrid momentum long, managed"
    )
    assert evaluation.signal is None
    assert not Signal.objects.exists()
    assert evaluation.shadow.exit_plan.is_managed
    assert evaluation.shadow.take_profit is None


def test_a_promising_kind_is_published_and_the_signal_says_so_with_its_figures(real: Instrument) -> None:
    closed_at = breakout_close()
    known(STUDY, at=closed_at - HOUR)
    signal = decide(real, closed_at).signal

    assert signal is not None
    assert (signal.source, signal.strategy, signal.timeframe) == ("hybrid", "volatility_breakout", "4h")
    assert signal.take_profit is None
    assert signal.exit_plan.is_managed
    assert (signal.exit_plan.trail_atr, signal.exit_plan.longest_hold_bars) == (4.0, 120)
    assert (signal.standing, signal.evidence) == (
        "promising",
        "promising, not proven: mean +0.45 R [-0.02, +0.92], n 216",
    )
    assert signal.expires_at - signal.published_at == BAR
    assert any("blend of the fourteen" in reason for reason in signal.reasons)
    assert "reason blend" in signal.evaluation.features


def test_what_became_known_after_the_close_says_nothing_of_it(real: Instrument) -> None:
    closed_at = breakout_close()
    known(STUDY, at=closed_at + timedelta(seconds=1))
    assert decide(real, closed_at).outcome == "abstained"


def test_evidence_older_than_a_week_says_nothing(real: Instrument) -> None:
    closed_at = breakout_close()
    known(STUDY, at=closed_at - timedelta(days=8))
    evaluation = decide(real, closed_at)
    assert evaluation.outcome == "abstained"
    assert "the newest evidence is of" in evaluation.reason


def test_costs_beyond_the_bound_keep_even_a_proven_kind_back(real: Instrument) -> None:
    closed_at = breakout_close()
    known(Measured(900, 90, 0.9, 0.1), at=closed_at - HOUR, standing="proven")
    Instrument.objects.filter(pk=real.pk).update(taker_bps=Decimal(90))
    real.refresh_from_db()
    evaluation = decide(real, closed_at)
    assert evaluation.outcome == "abstained"
    assert "0.06 R is allowed" in evaluation.reason


def test_on_a_simulated_market_it_is_shown_with_what_the_gate_would_have_said() -> None:
    closed_at = breakout_close()
    signal = decide(stored(make_instrument()), closed_at).signal
    assert signal is not None
    assert signal.evidence.startswith(
        "none, a simulated market. On a real one the gate would have abstained: no ev"
    )
    assert signal.standing == "too_few"


def test_there_is_one_evaluation_for_each_4h_close_and_none_between() -> None:
    instrument = stored(make_instrument())
    closed_at = breakout_close()
    for moment in (closed_at, closed_at, closed_at + HOUR):
        evaluate_close(instrument=instrument, candle_open_time=moment - HOUR, as_of=moment)
    assert Evaluation.objects.filter(timeframe="4h").count() == 1
    assert Evaluation.objects.filter(timeframe="1h").count() == 2


def test_while_a_position_of_the_rule_is_open_no_other_is_entered_published_or_not(real: Instrument) -> None:
    series, first = breakouts(STORED[Timeframe.H4]), breakout_close()
    entered = decide(real, first)
    assert ShadowOutcome.objects.get().evaluation == entered
    done = trades(STORED[Timeframe.H4])
    place = next(at for at, row in enumerate(done.rows) if opened(int(row)) + BAR == first)
    end = datetime.fromtimestamp(int(done.outcomes.exited_at[place]) / 1000, UTC)
    again = [opened(int(row)) + BAR for row in series.rows if first < opened(int(row)) + BAR <= end]
    assert again
    evaluation = decide(real, again[0])
    assert evaluation.outcome == "none"
    assert "has been open since" in evaluation.reason


def test_shadows_and_outcomes_are_what_the_rule_did_in_the_engine(real: Instrument) -> None:
    closed_at = breakout_close()
    known(STUDY, at=closed_at - HOUR)
    decide(real, closed_at)
    twin = stored(make_instrument(exchange=real.exchange, symbol="ETH/USD"))
    Evidence.objects.all().delete()
    decide(twin, closed_at)
    expected = trades(STORED[Timeframe.H4])
    at = next(place for place, row in enumerate(expected.rows) if opened(int(row)) + BAR == closed_at)

    assert follow_shadows(exchange_code="kraken", as_of=LATE, now=LATE) == 1
    assert follow_shadows(exchange_code="kraken", as_of=LATE, now=LATE) == 0
    shadow = ShadowOutcome.objects.get()
    assert shadow.r_multiple == pytest.approx(expected.outcomes.r_multiple[at], abs=1e-4)
    assert shadow.exited_at == datetime.fromtimestamp(int(expected.outcomes.exited_at[at]) / 1000, UTC)
    assert not SignalOutcome.objects.exists()


def test_rows_hold_history_and_live_record_apart_and_together() -> None:
    moments = [int((START + timedelta(days=3 * n)).timestamp() * 1000) for n in range(60)]
    ended = Ended(np.array(moments), np.array([1.0, -0.5, 0.7] * 20))
    noise = SignalKind("hybrid", "mean_reversion", "short", PlanKind.FIXED, "forex")
    rows = {row.kind: row for row in record_evidence(history={TREND_KIND: ended, noise: ended}, now=LATE)}

    trend = rows[TREND_KIND]
    assert (trend.n, trend.history_n, trend.live_n) == (60, 60, 0)
    assert trend.mean == pytest.approx(0.4)
    assert trend.candidate == "trend rule"
    assert trend.standing == "proven"
    assert trend.hit_rate == pytest.approx(2 / 3)
    assert rows[noise].candidate == ""


def test_the_daily_job_measures_the_rule_and_the_fused_decision_on_stored_candles(real: Instrument) -> None:
    assert is_due(now=LATE)
    result = measure_evidence(now=LATE, progress=lambda done, total, message: None)

    row = Evidence.objects.get(plan="managed")
    expected = trades(STORED[Timeframe.H4], rates=real.cost_rates())
    assert row.kind == TREND_KIND
    assert row.n == len(expected)
    assert row.mean == pytest.approx(float(expected.outcomes.r_multiple.mean()), abs=1e-6)
    assert str(TREND_KIND) in result["kinds"]
    assert Evidence.objects.filter(plan="fixed").exists()
    assert not is_due(now=LATE + HOUR)


def test_an_ended_signal_of_the_rule_is_recorded_and_followed_up_by_its_plan(real: Instrument) -> None:
    closed_at = breakout_close()
    known(STUDY, at=closed_at - HOUR)
    signal = decide(real, closed_at).signal
    assert signal is not None
    # Published now by the database's clock: entered at the first bar that opens after that, which is not stored.
    assert record_outcomes(exchange_code="kraken", as_of=LATE, now=LATE) == 0
