"""Training of policies as asked: every seed is a trial, every policy a row with its gates, the best one a champion."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from django.utils import timezone

from research.engine.policies import (
    HOURS_A_YEAR,
    Featurise,
    Market,
    Method,
    returns_of,
)
from research.engine.question import dataset_hash
from research.models import PolicyCheckpoint, Trial, TrialState
from research.services.policy_markets import featurise, returns_of_rules, stored_market
from research.services.policy_request import TrainingRequest
from research.services.trials import fail_trial, finish_trial, open_study, start_trial
from signals.engine.candle import FloatArray
from signals.engine.marginal_value import marginal_weight
from signals.engine.moment import instant
from signals.engine.packing import sha256_of, unpack_arrays
from signals.engine.performance import sharpe_ratio
from signals.engine.policy import load
from signals.engine.policy_features import SCHEMA
from signals.engine.timeframe import BASE_TIMEFRAME
from signals.market.models import Instrument
from signals.models import Job, TrainedModel
from signals.services.policy_votes import scope_of
from signals.services.trained_models import (
    champion,
    promote_model,
    register_model,
    reject_model,
    verified_payload,
)

OBJECTIVE = "reinforcement learning"
Progress = Callable[[int, int, str], None]
SaveCheckpoint = Callable[[dict[str, Any]], None]


class Study(Protocol):
    """`research.trainers.policy_study.study`, given by the task: nothing here loads torch."""

    def __call__(  # noqa: PLR0913  (what a study is made of)
        self,
        markets: Sequence[Market],
        *,
        method: Method,
        seeds: int,
        folds: int,
        trials: int,
        featurise: Featurise,
        store: Any,
        progress: Progress,
        tell_curve: Callable[[str, int, float], None],
    ) -> dict[str, Any]: ...


class CheckpointRows:
    """Where a training keeps its steps; a snapshot that was altered is not used."""

    def __init__(self, job: Job, scope: str) -> None:
        self.job, self.scope = job, scope

    def load(self, name: str) -> bytes | None:
        row = PolicyCheckpoint.objects.filter(job=self.job, name=f"{self.scope} {name}").first()
        if row is None:
            return None
        unpack_arrays(bytes(row.arrays), sha256=row.sha256)
        return bytes(row.arrays)

    def keep(self, name: str, step: int, kept: bytes) -> None:
        PolicyCheckpoint.objects.update_or_create(
            job=self.job,
            name=f"{self.scope} {name}",
            defaults={"step": step, "arrays": kept, "sha256": sha256_of(kept), "kept_at": timezone.now()},
        )


class LiveCurve:
    """What the page draws while the training runs, kept in the job's checkpoint."""

    def __init__(self, save: SaveCheckpoint, before: dict[str, Any] | None) -> None:
        self.save = save
        self.curves: dict[str, list[list[float]]] = dict((before or {}).get("curves", {}))

    def tell(self, name: str, step: int, reward: float) -> None:
        self.curves.setdefault(name, []).append([step, reward])
        self.save({"curves": self.curves})


def carry_out_training(
    *, job: Job, study: Study, progress: Progress, save_checkpoint: SaveCheckpoint
) -> dict[str, Any]:
    request = TrainingRequest(**job.parameters)
    rows = Instrument.objects.select_related("exchange").in_bulk(request.instruments)
    instruments = [rows[pk] for pk in request.instruments]
    groups = [[each] for each in instruments] if request.each_instrument else [instruments]
    curve = LiveCurve(save_checkpoint, job.checkpoint)
    made: list[TrainedModel] = []
    for group in groups:
        scope = scope_of(group[0]) if request.each_instrument else ""
        loaded = [
            stored_market(
                each,
                start=datetime.fromisoformat(request.start),
                end=datetime.fromisoformat(request.end),
            )
            for each in group
        ]
        rules = [returns_of_rules(market, windows) for market, windows in loaded]
        markets = [market for market, _ in loaded]
        made += [
            _one(job, request, scope, group, markets, rules, algorithm, study, progress, curve)
            for algorithm in request.algorithms
        ]
    PolicyCheckpoint.objects.filter(job=job).delete()
    return {"models": [each.pk for each in made], "champions": [each.pk for each in made if each.promoted_at]}


def _one(  # noqa: PLR0913, PLR0917  (one policy's whole origin)
    job: Job,
    request: TrainingRequest,
    scope: str,
    group: Sequence[Instrument],
    markets: list[Market],
    rules: list[FloatArray],
    algorithm: str,
    study: Study,
    progress: Progress,
    curve: LiveCurve,
) -> TrainedModel:
    method = Method(algorithm, request.timesteps, request.preset)
    asked = open_study(
        instruments=group,
        timeframe=BASE_TIMEFRAME,
        dataset_hash=dataset_hash({each.name: each.bars for each in markets}),
        objective=OBJECTIVE,
        by=job.owner,
        now=timezone.now(),
    )
    trials = [
        start_trial(
            study=asked,
            parameters={
                "algorithm": algorithm,
                "timesteps": request.timesteps,
                "preset": request.preset,
                "seed": seed,
                "folds": request.folds,
            },
            owner=job.owner,
            now=timezone.now(),
            job=job,
            seed=seed,
        )
        for seed in range(request.seeds)
    ]
    counted = (
        Trial.objects.filter(study__objective=OBJECTIVE, study__instruments__in=group).distinct().count()
    )
    running = [each for each in trials if each.state == TrialState.RUNNING]
    try:
        found = study(
            markets,
            method=method,
            seeds=request.seeds,
            folds=request.folds,
            trials=counted,
            featurise=featurise,
            store=CheckpointRows(job, scope or "all"),
            progress=progress,
            tell_curve=lambda name, step, reward: curve.tell(f"{scope or 'all'} {name}", step, reward),
        )
    except Exception as error:
        for trial in running:
            fail_trial(trial=trial, error=f"{type(error).__name__}: {error}", now=timezone.now())
        raise
    sharpe = sharpe_ratio(found["returns"], HOURS_A_YEAR)
    for trial in running:
        finish_trial(trial=trial, returns=found["returns"], score=sharpe, metrics={}, now=timezone.now())
    return _kept(job, request, scope, markets, rules, algorithm, found)


def _kept(
    job: Job,
    request: TrainingRequest,
    scope: str,
    markets: list[Market],
    rules: list[FloatArray],
    algorithm: str,
    found: dict[str, Any],
) -> TrainedModel:
    now = timezone.now()
    rows, first = found["rows"], found["tested_from"]
    # A row's return is of the bar after it: a market of `rows` bars has one less, and so has each fold.
    of_rules = np.mean([each[-(rows - first - 1) :] for each in rules], axis=0)
    bars = markets[0].bars[-rows:]
    together = np.concatenate([each.features[-rows:][:first] for each in markets])
    metrics = {
        "gates": found["gates"],
        "passed": found["passed"],
        "curves": {name: [list(point) for point in points] for name, points in found["curves"].items()},
        "resumed": found["resumed"],
        "weight": marginal_weight(of_rules, found["of_first_seed"]),
        "sharpe": found["gates"][-1]["seeds"][0]["sharpe"],
        "win_rate": found["gates"][-1]["seeds"][0]["win_rate"],
        "seeds": request.seeds,
        "timesteps": request.timesteps,
        "preset": request.preset,
        "tested_from": int(bars.open_time[first]),
        "out_of_sample": found["gates"][-1]["seeds"][0],
        "feature_mean": together.mean(axis=0).tolist(),
        "feature_deviation": together.std(axis=0).tolist(),
    }
    model = register_model(
        kind=algorithm,
        scope=scope,
        payload=found["policy"],
        payload_format="npz",
        feature_schema=SCHEMA,
        data_from=instant(int(bars.open_time[0])),
        data_to=instant(BASE_TIMEFRAME.close_time(int(bars.open_time[-1]))),
        metrics=metrics,
        reason=request.reason,
        known_at=now,
        now=now,
        job=job,
    )
    return _promoted_or_not(model, markets, rows, first, now, job.owner)


def _promoted_or_not(
    model: TrainedModel, markets: list[Market], rows: int, first: int, now: datetime, owner: str
) -> TrainedModel:
    """A champion must pass every gate, and on the same bars do better than the one before."""
    failed = [each["name"] for each in model.metrics["gates"] if not each["passed"]]
    if failed:
        return reject_model(model=model, reason=f"failed: {', '.join(failed)}", now=now)
    before = champion(kind=model.kind, scope=model.scope, as_of=now)
    if before is not None and before.feature_schema == model.feature_schema:
        ours, theirs = (_sharpe(each, markets, rows, first) for each in (model, before))
        if not ours > theirs:
            return reject_model(
                model=model,
                reason=f"Sharpe ratio {ours:.2f} on the same bars, the champion's {theirs:.2f}",
                now=now,
            )
    return promote_model(model=model, by=owner, now=now)


def _sharpe(model: TrainedModel, markets: list[Market], rows: int, first: int) -> float:
    policy = load(verified_payload(model))
    parts = [each.part(slice(len(each.bars) - rows + first, None)) for each in markets]
    return sharpe_ratio(np.mean([returns_of(policy, each)[0] for each in parts], axis=0), HOURS_A_YEAR)
