"""One policy from its training to its gates: walk-forward, several seeds, each step kept should the worker die."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from research.engine.policies import Featurise, Market, Method, folds_of, returns_of
from research.trainers.gates import market_env, martingale_gate, oracle_gate, out_of_sample_gate
from research.trainers.reinforcement import exported, learn, make_model
from signals.engine.policy import Policy

Progress = Callable[[int, int, str], None]
SHARE_OF_GATES = 0.25  # of the steps of a seed: the two gates on made-up candles are simple to learn
LEAST_STEPS = 20_000


class Store(Protocol):
    """Where steps are kept between attempts, by the name of a training."""

    def load(self, name: str) -> bytes | None: ...

    def keep(self, name: str, step: int, kept: bytes) -> None: ...


def study(  # noqa: PLR0913  (what a study is made of)
    markets: Sequence[Market],
    *,
    method: Method,
    seeds: int,
    folds: int,
    trials: int,
    featurise: Featurise,
    store: Store,
    progress: Progress,
    tell_curve: Callable[[str, int, float], None],
) -> dict[str, Any]:
    """The policy of the last fold's first seed as bytes, its gates, and returns out of sample (of every seed's mean).

    trials: how many were made for this question, those of this study among them.
    """
    rows = min(len(each.bars) for each in markets)
    level = [each.part(slice(len(each.bars) - rows, None)) for each in markets]
    parts = folds_of(rows, folds)
    total, resumed = folds * seeds * method.timesteps, False
    trained: dict[tuple[int, int], Policy] = {}
    curves: dict[str, list[tuple[int, float]]] = {}
    for number, (fold, seed) in enumerate((fold, seed) for fold in range(folds) for seed in range(seeds)):
        name = f"{method.algorithm} fold {fold + 1} seed {seed}"
        before = number * method.timesteps
        train = [each.part(parts[fold][0]) for each in level]
        model = make_model(
            market_env(train, seed),
            algorithm=method.algorithm,
            timesteps=method.timesteps,
            preset=method.preset,
            seed=seed,
        )
        earlier = store.load(name)
        resumed |= earlier is not None

        def told(done: int, _: int, message: str, before: int = before, name: str = name) -> None:
            tell_curve(name, done, float(message.rpartition(" ")[2]))
            progress(before + done, total, f"{name}: {message}")

        curves[name] = learn(
            model,
            timesteps=method.timesteps,
            progress=told,
            keep=lambda step, kept, name=name: store.keep(name, step, kept),  # type: ignore[misc]
            resume=earlier,
        )
        trained[fold, seed] = exported(model)
    simple = Method(
        method.algorithm, max(round(method.timesteps * SHARE_OF_GATES), LEAST_STEPS), method.preset
    )
    train, test = ([each.part(part) for each in level] for part in parts[-1])
    progress(total, total, f"{method.algorithm}: gates")
    gates = [
        oracle_gate(train, test, simple, seed=0),
        martingale_gate(train, simple, featurise, seed=0),
        out_of_sample_gate([trained[folds - 1, seed] for seed in range(seeds)], test, trials=trials),
    ]
    progress(total, total, f"{method.algorithm}: gates are judged")
    records = [
        [
            np.concatenate(
                [returns_of(trained[fold, seed], each.part(parts[fold][1]))[0] for fold in range(folds)]
            )
            for each in level
        ]
        for seed in range(seeds)
    ]
    return {
        "policy": trained[folds - 1, 0].to_npz(),
        "gates": gates,
        "passed": all(each["passed"] for each in gates),
        "resumed": resumed,
        "curves": curves,
        "returns": np.mean(records, axis=(0, 1)),
        "of_first_seed": np.mean(records[0], axis=0),
        "tested_from": parts[0][1].start,
        "rows": rows,
    }
