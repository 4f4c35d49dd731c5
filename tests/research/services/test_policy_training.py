"""A training as a job: trials, gates, champions, checkpoints; and choices, votes and drift that come of it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from notifications.models import Delivery
from research.engine.policies import Market, Method, folds_of
from research.models import PolicyCheckpoint, Trial
from research.services.policy_markets import stored_market
from research.services.policy_request import TrainingRequest, ask_for_training
from research.services.policy_training import CheckpointRows, carry_out_training
from research.trainers import policy_study
from research.trainers.gates import train_on
from signals.engine.marginal_value import held_for, marginal_weight
from signals.engine.packing import BytesAlteredError, sha256_of
from signals.engine.policy import Policy, load
from signals.engine.policy_features import NAMES, SCHEMA
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument, SentimentReading
from signals.models import Job, JobState, ModelState, PolicyChoice, Signal, TrainedModel
from signals.services.evaluation import gather, load_windows
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
from signals.services.policy_choices import refresh_choice
from signals.services.policy_experiments import try_out_policies, unproven_policies
from signals.services.policy_votes import inputs, scope_of
from tests.factories import make_instrument, make_series, merge_bars, store
from tests.notifications.rows import make_outcome, make_signal, make_subscriber, make_tier

pytestmark = pytest.mark.django_db

START = datetime(2025, 1, 1, tzinfo=UTC)
BARS = 24 * 150
END = START + timedelta(hours=BARS)
LONG_TERM = make_series(bars=24 * 600, start=START - timedelta(days=450), seed=4)


@pytest.fixture
def instrument() -> Instrument:
    made = make_instrument(market_type="perpetual")
    for timeframe in (Timeframe.H4, Timeframe.D1):
        store(made, timeframe, merge_bars(LONG_TERM, timeframe))
    store(made, Timeframe.H1, LONG_TERM[-BARS:])
    return made


def asked(instrument: Instrument, **values: Any) -> TrainingRequest:
    given: dict[str, Any] = {
        "instruments": [instrument.pk],
        "start": (START + timedelta(days=60)).isoformat(),
        "end": END.isoformat(),
        "algorithms": ["ppo"],
        "timesteps": 1_000,
        "seeds": 2,
        "each_instrument": True,
    }
    return TrainingRequest(**(given | values))


def always(action: int) -> Policy:
    bias = np.zeros(3, np.float32)
    bias[action] = 1
    return Policy("ppo", "tanh", (np.zeros((len(NAMES) + 1, 3), np.float32),), (bias,))


def stand_in(policy: Policy, *, passed: bool = True) -> Any:
    """A study that trains nothing: what the service makes of its answer is asked."""

    def study(
        markets: Sequence[Market], *, seeds: int, trials: int, tell_curve: Any, **given: Any
    ) -> dict[str, Any]:
        rows = len(markets[0].bars)
        first = folds_of(rows, 2)[0][1].start
        tell_curve("ppo fold 1 seed 0", 100, 0.5)
        returns = np.random.default_rng(0).normal(0.001, 0.01, rows - first - 2)
        gate = {"name": "out of sample", "passed": passed, "trials": trials}
        gate["seeds"] = [{"sharpe": 1.0, "win_rate": 0.5, "profit": 0.1}] * seeds
        return {
            "policy": policy.to_npz(),
            "gates": [gate],
            "passed": passed,
            "resumed": False,
            "curves": {"ppo fold 1 seed 0": [(100, 0.5)]},
            "returns": returns,
            "of_first_seed": returns,
            "tested_from": first,
            "rows": rows,
        }

    return study


def train(request: TrainingRequest, study: Any) -> Job:
    row = ask_for_training(request=request, owner="ada", now=timezone.now())
    job = take_lease(job_id=row.pk)
    assert job is not None
    return carry_out(
        job=job,
        work=lambda run: carry_out_training(
            job=run.job, study=study, progress=run.progress, save_checkpoint=run.save_checkpoint
        ),
    )


@pytest.mark.slow
def test_whoever_passes_every_gate_becomes_champion_and_every_seed_is_a_trial(instrument: Instrument) -> None:
    job = train(asked(instrument), stand_in(always(0)))
    model = TrainedModel.objects.get()
    assert (job.state, model.state, model.job) == (JobState.SUCCEEDED, ModelState.CHAMPION, job)
    assert (model.kind, model.scope) == ("ppo", scope_of(instrument))
    assert Trial.objects.count() == model.metrics["gates"][-1]["trials"] == 2
    assert job.checkpoint == {"curves": {f"{scope_of(instrument)} ppo fold 1 seed 0": [[100, 0.5]]}}
    assert load(bytes(model.payload)).inputs == len(NAMES) + 1


def test_failed_gate_is_shown_and_no_worse_policy_replaces_a_champion(instrument: Instrument) -> None:
    train(asked(instrument), stand_in(always(0), passed=False))
    refused = TrainedModel.objects.get()
    assert refused.state == ModelState.REJECTED
    assert refused.reason == "failed: out of sample"
    assert not refused.metrics["gates"][0]["passed"]
    sides = [1, 2] if LONG_TERM.close[-1] > LONG_TERM.close[-BARS // 2] else [2, 1]
    for action in sides:
        train(asked(instrument, seeds=action), stand_in(always(action)))
    better, worse = TrainedModel.objects.exclude(pk=refused.pk).order_by("pk")
    assert (better.state, worse.state) == (ModelState.CHAMPION, ModelState.REJECTED)
    assert "the champion's" in worse.reason


@pytest.mark.slow
def test_a_training_with_torch_is_kept_resumed_and_says_so(
    instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_study, "LEAST_STEPS", 200)

    def dies_late(*arguments: Any, **given: Any) -> dict[str, Any]:
        progress = given["progress"]

        def until(done: int, total: int, message: str) -> None:
            progress(done, total, message)
            if done > total * 0.8:
                raise MemoryError

        return policy_study.study(*arguments, **(given | {"progress": until}))

    request = asked(instrument, algorithms=["dqn"], folds=1, seeds=1, timesteps=3_000)
    with pytest.raises(MemoryError):
        train(request, dies_late)
    job = Job.objects.get()
    kept = PolicyCheckpoint.objects.get()
    assert kept.step > 1_000
    carry_out_training(
        job=job,
        study=policy_study.study,
        progress=lambda done, total, message: None,
        save_checkpoint=lambda checkpoint: None,
    )
    model = TrainedModel.objects.get()
    assert model.metrics["resumed"]
    assert [gate["name"] for gate in model.metrics["gates"]] == ["oracle", "martingale", "out of sample"]
    assert not PolicyCheckpoint.objects.exists()


def test_altered_checkpoint_is_not_used(instrument: Instrument) -> None:
    job = ask_for_training(request=asked(instrument), owner="", now=timezone.now())
    rows = CheckpointRows(job, "all")
    rows.keep("ppo", 5, always(1).to_npz())
    assert rows.load("ppo") == always(1).to_npz()
    assert rows.load("dqn") is None
    PolicyCheckpoint.objects.update(arrays=always(2).to_npz())
    with pytest.raises(BytesAlteredError):
        rows.load("ppo")


@pytest.mark.slow
def test_results_in_the_journal_change_what_a_policy_learns_from(instrument: Instrument) -> None:
    def features() -> np.ndarray:
        return stored_market(instrument, start=START + timedelta(days=60), end=END)[0].features

    before = features()
    ended = END - timedelta(days=50)
    signal = make_signal(instrument=instrument, published_at=ended - timedelta(hours=5))
    make_outcome(signal=signal, entered_at=ended - timedelta(hours=5), exited_at=ended, r_multiple=-1.0)
    after = features()
    changed = np.flatnonzero((before != after).any(axis=0))
    assert [NAMES[place] for place in changed] == ["journal"]
    assert (after[before != after] < 0).all()
    market = stored_market(instrument, start=START + timedelta(days=60), end=END)[0]
    without = Market(market.name, market.bars, before, market.costs, market.shorts)
    policies = [train_on([each], Method("ppo", 8_192), seed=0) for each in (market, without)]
    assert policies[0].to_npz() != policies[1].to_npz()


def test_sentiment_is_read_as_it_was_known(instrument: Instrument) -> None:
    start = START + timedelta(days=60)
    before, _ = stored_market(instrument, start=start, end=END)
    said = END - timedelta(days=3)
    for source in ("xai_seed", "finnhub_seed"):
        SentimentReading.objects.create(
            instrument=instrument,
            source=source,
            score=0.8,
            published_at=said - timedelta(hours=2),
            fetched_at=said,
        )
    after, windows = stored_market(instrument, start=start, end=END)
    changed = (before.features != after.features).any(axis=0)
    assert [NAMES[place] for place in np.flatnonzero(changed)] == ["sentiment"]
    rows = np.flatnonzero(after.features[:, NAMES.index("sentiment")])
    assert after.bars.open_time[rows[0]] + 3_600_000 >= said.timestamp() * 1000
    live = inputs(instrument, windows, END)[1]
    assert (live[:, NAMES.index("sentiment")] == after.features[:, NAMES.index("sentiment")]).all()


def champion_of(instrument: Instrument, kind: str, action: int, **metrics: Any) -> TrainedModel:
    policy = always(action)
    return TrainedModel.objects.create(
        kind=kind,
        scope=scope_of(instrument),
        state=ModelState.CHAMPION,
        payload=policy.to_npz(),
        sha256=sha256_of(policy.to_npz()),
        payload_format="npz",
        feature_schema=SCHEMA,
        data_from=START,
        data_to=END - timedelta(days=40),
        code_version="x",
        metrics={
            "tested_from": int((END - timedelta(days=40)).timestamp() * 1000),
            "weight": 0.4,
            "out_of_sample": {"sharpe": 0.0, "win_rate": 0.5},
            "feature_mean": [0.0] * len(NAMES),
            "feature_deviation": [10.0] * len(NAMES),
        }
        | metrics,
        known_at=END - timedelta(days=1),
        trained_at=END,
        promoted_at=END - timedelta(days=1),
    )


def test_chosen_policy_votes_by_its_weight_and_one_switch_takes_it_out(
    instrument: Instrument, settings: Any
) -> None:
    champion_of(instrument, "ppo", 1)
    champion_of(instrument, "dqn", 2)
    silent = gather(instrument=instrument, as_of=END, wait_for_partner=False)
    assert not silent.context.votes
    assert (silent.features["policy_ppo"], silent.features["policy_dqn"]) == (1.0, -1.0)
    PolicyChoice.objects.create(
        instrument=instrument,
        timeframe="1h",
        fitted_through=END,
        fitted_at=END,
        known_at=END,
        kind="dqn",
        weight=0.4,
        records={},
    )
    heard = gather(instrument=instrument, as_of=END, wait_for_partner=False)
    assert heard.context.votes["rl"][-1] == pytest.approx(-0.4)
    assert heard.features["policy_chosen"] == "dqn"
    settings.POLICY_VOTES = False
    muted = gather(instrument=instrument, as_of=END, wait_for_partner=False)
    assert not muted.context.votes
    assert muted.features["policy_ppo"] == 1.0


def in_and_out() -> Policy:
    """Long at one close, flat at the next."""
    weights = np.zeros((len(NAMES) + 1, 3), np.float32)
    weights[-1, 1] = -2
    return Policy("ppo", "tanh", (weights,), (np.array([0, 1, -9], np.float32),))


def test_policy_without_a_vote_speaks_as_an_experiment_to_whom_the_tier_allows(
    instrument: Instrument, settings: Any
) -> None:
    model = champion_of(instrument, "ppo", 1)
    payload = in_and_out().to_npz()
    TrainedModel.objects.filter(pk=model.pk).update(
        state=ModelState.REJECTED,
        promoted_at=None,
        reason="failed: out of sample",
        payload=payload,
        sha256=sha256_of(payload),
    )
    curious = make_subscriber(tier=make_tier(experimental=True))
    make_subscriber(tier=make_tier())

    windows = load_windows(instrument_id=instrument.pk, as_of=END)

    def closes() -> list[Signal]:
        """At the same close after an even and an odd number of bars, at one of which it enters."""
        found = []
        for first in (0, 1):
            shown = windows | {Timeframe.H1: windows[Timeframe.H1][first:]}
            found += try_out_policies(
                instrument=instrument, windows=shown, candle_open_time=END - timedelta(hours=1), as_of=END
            )
        return found

    settings.POLICY_VOTES = False
    assert not closes()
    settings.POLICY_VOTES = True
    [signal] = closes()
    assert closes() == [signal] == list(Signal.objects.all())
    assert (signal.experimental, signal.variant, signal.direction) == (True, "policy_ppo", "long")
    assert "abstained" in signal.evidence
    assert signal.reasons[1] == "It has not earned a vote: failed: out of sample"
    assert [each.subscriber for each in Delivery.objects.filter(signal=signal)] == [curious]
    model.refresh_from_db()
    TrainedModel.objects.filter(pk=model.pk).update(state=ModelState.CHAMPION, promoted_at=model.known_at)
    assert not unproven_policies(instrument=instrument, as_of=END)


def test_choice_is_made_once_a_day_on_bars_that_nobody_was_trained_on(instrument: Instrument) -> None:
    assert refresh_choice(instrument=instrument, as_of=END, now=END) is None
    champion_of(instrument, "ppo", 1)
    champion_of(instrument, "dqn", 0)
    made = refresh_choice(instrument=instrument, as_of=END, now=END)
    assert made is not None
    assert made.records["ppo"]["bars"] == made.records["dqn"]["bars"] == 720
    assert made.records["dqn"] == {"sharpe": None, "win_rate": None, "bars": 720, "passes": False}
    assert made.kind == ("ppo" if made.records["ppo"]["passes"] else "")
    assert refresh_choice(instrument=instrument, as_of=END + timedelta(hours=2), now=END) is None


def test_drift_asks_for_one_training_like_the_one_before(instrument: Instrument) -> None:
    model = champion_of(instrument, "ppo", 1, out_of_sample={"sharpe": 99.0, "win_rate": 0.5})
    parameters = asdict(asked(instrument))
    model.job = Job.objects.create(
        kind="train_policy",
        parameters=parameters,
        state="succeeded",
        ended_at=END,
        created_at=END,
        code_version="x",
    )
    model.save()
    later = END + timedelta(hours=0)
    refresh_choice(instrument=instrument, as_of=later, now=later)
    again = Job.objects.get(state=JobState.QUEUED)
    assert again.parameters["end"] == END.isoformat()
    assert again.parameters["algorithms"] == ["ppo"]
    assert "Sharpe ratio fell from 99.00" in again.parameters["reason"]
    assert TrainingRequest(**again.parameters).seeds == 2
    refresh_choice(instrument=instrument, as_of=later + timedelta(days=1), now=later)
    assert Job.objects.filter(state=JobState.QUEUED).count() == 1


def test_weight_is_the_share_of_the_best_mix() -> None:
    rng = np.random.default_rng(1)
    rules, alike = rng.normal(0.01, 0.1, 20_000), rng.normal(0.01, 0.1, 20_000)
    assert marginal_weight(rules, alike) == pytest.approx(0.5, abs=0.08)
    assert marginal_weight(rules, -alike) == 0
    assert marginal_weight(rules, rules * 0.5) == 0
    assert marginal_weight(rules * 0, alike) == 1
    assert marginal_weight(rules, alike * 0) == 0


def test_signals_are_held_for_their_horizon_or_until_the_next() -> None:
    directions = np.array([0.0, 1, 0, 0, 0, 1, -1, 0])
    assert held_for(directions, 3).tolist() == [0, 1, 1, 1, 0, 1, 2, 2]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"instruments": []}, "at least one instrument"),
        ({"algorithms": ["a2c"]}, "algorithms"),
        ({"preset": "x"}, "preset"),
        ({"timesteps": 5}, "timesteps"),
        ({"seeds": 0}, "seeds"),
        ({"end": "2020-01-01"}, "later"),
    ],
)
def test_what_cannot_be_asked_for(change: dict[str, Any], complaint: str) -> None:
    given: dict[str, Any] = {
        "instruments": [1],
        "start": "2024-01-01",
        "end": "2025-01-01",
        "algorithms": ["ppo"],
    }
    with pytest.raises(ValueError, match=complaint):
        TrainingRequest(**(given | change))
