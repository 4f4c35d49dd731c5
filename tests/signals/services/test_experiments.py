"""Experiments: planned once, one at a time, decided once per arm."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from signals.engine.assignment import arm_of, block_of
from signals.engine.hybrid import DEFAULTS, Outcome, explain
from signals.engine.strategy import DecisionContext
from signals.market.models import Instrument
from signals.models import Action, Evaluation, Experiment, ExperimentArm, ExperimentState, Signal
from signals.selectors import candles_without_evaluation
from signals.services.arms import running_arms
from signals.services.evaluation import evaluate
from signals.services.experiments import (
    ArmPlan,
    ExperimentError,
    create_experiment,
    end_experiment,
    settings_of,
    start_experiment,
)
from tests.factories import make_instrument, store
from tests.signals.services.test_evaluation import HOUR, STORED, signal_close, windows_by_hand

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ARMS = [ArmPlan("live", 0.5), ArmPlan("tight stops", 0.5, "tight", {"stop_atr": 1.0, "target_per_stop": 3})]


def planned(**values: Any) -> Experiment:
    defaults: dict[str, Any] = {
        "name": "Stops",
        "question": "Are tighter stops better? If so they become the default.",
        "assignment": "subscriber",
        "arms": ARMS,
        "by": "ada",
        "now": NOW,
    }
    return create_experiment(**defaults | values)


@pytest.fixture
def instrument() -> Instrument:
    instrument = make_instrument()
    for timeframe, candles in STORED.items():
        store(instrument, timeframe, candles)
    return instrument


def test_an_experiment_lives_from_plan_to_conclusion_on_record() -> None:
    experiment = planned(ends_at=NOW + 30 * 24 * HOUR)
    assert experiment.state(NOW) is ExperimentState.DRAFT

    experiment = start_experiment(experiment=experiment, by="ada", now=NOW + HOUR)
    assert experiment.state(NOW + HOUR) is ExperimentState.RUNNING
    assert experiment.state(NOW + 30 * 24 * HOUR) is ExperimentState.OVER
    experiment = end_experiment(
        experiment=experiment, by="bob", conclusion="No difference.", now=NOW + 2 * HOUR
    )

    assert experiment.state(NOW + 3 * HOUR) is ExperimentState.ENDED
    assert experiment.end == NOW + 2 * HOUR
    entries = Action.objects.filter(target="Stops").order_by("id").values_list("what", "actor")
    assert list(entries) == [
        ("experiment.created", "ada"),
        ("experiment.started", "ada"),
        ("experiment.ended", "bob"),
    ]


def test_arms_freeze_the_whole_settings() -> None:
    control, tight = planned().arms.order_by("position")

    assert settings_of(control) == DEFAULTS
    assert (settings_of(tight).stop_atr, settings_of(tight).target_per_stop) == (1.0, 3.0)
    assert tight.settings["minimum_score"] == DEFAULTS.minimum_score
    assert tight.settings["timeframe_weights"] == {"1h": 0.2, "4h": 0.3, "1d": 0.5}


def test_arms_decide_on_candles_that_close_within_the_experiment() -> None:
    experiment = start_experiment(experiment=planned(ends_at=NOW + 4 * HOUR), by="ada", now=NOW)

    def deciding(moment: datetime) -> list[str]:
        return [arm.name for arm in running_arms(closed_at=moment)]

    assert deciding(NOW - timedelta(microseconds=1)) == []
    assert deciding(NOW) == ["live", "tight stops"]
    assert deciding(NOW + 4 * HOUR) == []
    end_experiment(experiment=experiment, by="ada", conclusion="Enough.", now=NOW + 2 * HOUR)
    assert deciding(NOW + 2 * HOUR - timedelta(microseconds=1)) == ["live", "tight stops"]
    assert deciding(NOW + 2 * HOUR) == []


def test_only_one_runs_at_a_time_and_each_step_is_made_once() -> None:
    first = planned()
    second = planned(name="Other", arms=[ArmPlan("live", 0.5), ArmPlan("b", 0.5, "b")])
    start_experiment(experiment=first, by="ada", now=NOW)

    with pytest.raises(ExperimentError, match="another experiment runs"):
        start_experiment(experiment=second, by="ada", now=NOW)
    with pytest.raises(ExperimentError, match="started already"):
        start_experiment(experiment=first, by="ada", now=NOW)
    end_experiment(experiment=first, by="ada", conclusion="Done.", now=NOW)
    with pytest.raises(ExperimentError, match="has ended already"):
        end_experiment(experiment=first, by="ada", conclusion="Done.", now=NOW)
    start_experiment(experiment=second, by="ada", now=NOW)


def test_a_draft_can_be_withdrawn_and_is_never_started() -> None:
    experiment = end_experiment(experiment=planned(), by="ada", conclusion="Asked wrongly.", now=NOW)

    assert experiment.state(NOW) is ExperimentState.WITHDRAWN
    with pytest.raises(ExperimentError, match="withdrawn already"):
        start_experiment(experiment=experiment, by="ada", now=NOW)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": " "}, "a name"),
        ({"assignment": "moon"}, "assignment must be one of"),
        ({"assignment": "block"}, "block_hours"),
        ({"block_hours": 4}, "block_hours"),
        ({"ends_at": NOW}, "has passed"),
        ({"arms": ARMS[:1]}, "a control and another arm"),
        ({"arms": [ARMS[0], ArmPlan("live", 0.5, "b")]}, "name of its own"),
        ({"arms": [ARMS[0], ArmPlan("b", 0.5, "Big B")]}, "small letters"),
        ({"arms": [ARMS[0], ArmPlan("b", 0.6, "b")]}, "sum to 1"),
        ({"arms": [ARMS[0], ArmPlan("b", 0.5, "b", {"luck": 1})]}, "b: luck cannot be set"),
        ({"arms": [ARMS[0], ArmPlan("b", 0.5, "b", {"validity_bars": 8})]}, "validity_bars cannot be set"),
        (
            {"arms": [ARMS[0], ArmPlan("b", 0.5, "b", {"stop_atr": 0.0})]},
            "b: stop_atr is 0.0; it must be between",
        ),
        (
            {"arms": [ARMS[0], ArmPlan("b", 0.5, "b", {"memory_bars": 2.5})]},
            "memory_bars must be a whole number",
        ),
        ({"arms": [ARMS[0], ArmPlan("b", 0.5, "b", {"stop_atr": "2"})]}, "stop_atr must be a number"),
        ({"arms": [ARMS[0], ArmPlan("b", 0.5, "b", {"timeframe_weights": {"15m": 1}})]}, "15m is not read"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        planned(**values)
    assert not Experiment.objects.exists()


def test_a_name_or_a_variant_is_used_once() -> None:
    planned()
    with pytest.raises(ExperimentError, match="was used before"):
        planned(arms=[ArmPlan("live", 0.5), ArmPlan("b", 0.5, "b")])
    with pytest.raises(ExperimentError, match="was used before"):
        planned(name="Other")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signals_experiment SET salt = 'x'",
        "UPDATE signals_experiment SET started_at = started_at + interval '1 day'",
        "UPDATE signals_experiment SET started_at = NULL",
        "DELETE FROM signals_experiment",
        "UPDATE signals_experimentarm SET settings = '{}'",
        "DELETE FROM signals_experimentarm",
    ],
)
def test_the_database_keeps_the_design(statement: str) -> None:
    start_experiment(experiment=planned(), by="ada", now=NOW)

    with (
        pytest.raises(ProgrammingError, match="pgtrigger: Cannot"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_each_arm_decides_once_with_its_own_settings(instrument: Instrument) -> None:
    closed_at = signal_close()
    start_experiment(experiment=planned(now=closed_at), by="ada", now=closed_at)

    for _ in range(2):
        found = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    rows = {each.variant: each for each in Evaluation.objects.select_related("signal")}
    assert set(rows) == {"", "tight"}
    assert found == rows[""]
    live, tight = rows[""].signal, rows["tight"].signal
    expected = explain(
        windows_by_hand(closed_at),
        DecisionContext(as_of=closed_at),
        settings_of(ExperimentArm.objects.get(position=1)),
    ).signal
    assert live is not None
    assert tight is not None
    assert expected is not None
    assert tight.stop_loss == pytest.approx(expected.stop_loss)
    assert abs(tight.entry_price - tight.stop_loss) < abs(live.entry_price - live.stop_loss)
    assert (live.variant, tight.variant) == ("", "tight")
    judged = candles_without_evaluation(exchange_code=instrument.exchange.code, as_of=closed_at)
    assert (instrument.pk, closed_at - HOUR) not in judged


def test_no_arm_is_left_out_when_the_evaluation_dies_between_them(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_at = signal_close()
    start_experiment(experiment=planned(now=closed_at), by="ada", now=closed_at)
    monkeypatch.setattr("signals.services.evaluation.settings_of", lambda arm: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)
    monkeypatch.undo()
    missing = candles_without_evaluation(exchange_code=instrument.exchange.code, as_of=closed_at)
    assert (instrument.pk, closed_at - HOUR) in missing

    evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert Signal.objects.count() == 2


@pytest.mark.slow
def test_a_block_of_signal_time_publishes_one_arm_only(instrument: Instrument) -> None:
    begun = signal_close()
    experiment = planned(now=begun, assignment="block", block_hours=6)
    start_experiment(experiment=experiment, by="ada", now=begun)

    for closed_at in (signal_close(number) for number in range(12)):
        evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    arms = list(experiment.arms.order_by("position"))
    published = list(Signal.objects.all())
    assert {each.variant for each in published} == {"", "tight"}
    for signal in published:
        moment = int((signal.candle_open_time + HOUR).timestamp() * 1000)
        turn = arm_of(experiment.salt, block_of(moment, 6), [0.5, 0.5])
        assert signal.variant == arms[turn].variant
    silent = Evaluation.objects.filter(outcome=Outcome.REFUSED, reason__contains="this block of signal time")
    assert silent.count() + len(published) == Evaluation.objects.exclude(outcome=Outcome.NONE).count()


def test_settings_that_cannot_be_read_any_more_silence_the_arm_and_not_the_control(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_at = signal_close()
    start_experiment(experiment=planned(now=closed_at), by="ada", now=closed_at)
    monkeypatch.setattr("signals.services.experiments.OPEN_TO_ARMS", ("stop_deviations",))

    found = evaluate(instrument=instrument, candle_open_time=closed_at - HOUR, as_of=closed_at)

    assert found is not None
    assert found.signal is not None
    arm = Evaluation.objects.get(variant="tight")
    assert arm.outcome == Outcome.REFUSED
    assert "cannot be set any more" in arm.reason


def test_the_admin_shows_an_experiment_with_its_arms(admin_client: Client) -> None:
    experiment = planned()

    page = admin_client.get(f"/admin/signals/experiment/{experiment.pk}/change/").content.decode()

    assert "tight stops" in page
    assert "Are tighter stops better?" in page
