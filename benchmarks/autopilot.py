"""The selector at one close: a single prediction against LightGBM's own calls, and one whole decision.

    python benchmarks/autopilot.py [--markdown docs/benchmarks.md]

A model of 100 rounds and five classes (500 trees), one thread, warm. All ways are proven equal to 1e-12 first;
then they take turns, so that what else runs on the machine counts the same for each. A decision is a window of 500
closed 1h bars: features, regime, the strategies' opinions, the model, the strategy within its group, TreeSHAP
reasons; its time is the processor's. A cycle of 100 autopilots (benchmarks/cycle.py) is judged to the end and written
to a Postgres of its own; its time is the clock's, and next to it the processor's.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np
from cycle import INSTRUMENTS, median_seconds
from harness import commit, machine, write_section

from autopilot.engine.analysis import analyse
from autopilot.engine.confidence import calibration_as_json
from autopilot.engine.model_card import plain
from autopilot.engine.records import NAMES, no_records
from autopilot.engine.selector import SelectorModel, feature_schema
from signals.engine.calibration import fit_calibration
from signals.engine.candle import OHLCV
from signals.engine.features import MARKET_FEATURES
from signals.engine.strategy import DecisionContext

COLUMNS, ROWS, ROUNDS = len(MARKET_FEATURES), 5_000, 100
TURNS, CALLS, DECISIONS = 60, 20, 200
GOAL_WRAPPER, GOAL_BOOSTER, GOAL_DECISION_MS, GOAL_CYCLE_S = 25.0, 3.0, 5.0, 2.0
BEGIN, END = "<!-- autopilot.py -->", "<!-- end of autopilot.py -->"
AS_OF = datetime(2025, 1, 1, tzinfo=UTC)


def trained() -> tuple[SelectorModel, lightgbm.LGBMClassifier, np.ndarray]:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(ROWS, COLUMNS)), rng.integers(0, 5, ROWS)
    labels = np.where(rng.random(ROWS) < 0.5, (features[:, 0] > 0) + 2 * (features[:, 1] > 0), labels)
    wrapper = lightgbm.LGBMClassifier(
        n_estimators=ROUNDS, num_leaves=15, random_state=1, n_jobs=1, verbose=-1
    )
    wrapper.fit(features, labels)
    score = rng.random(200)
    calibration = calibration_as_json(fit_calibration(score, (rng.random(200) < score).astype(float)))
    metrics = plain(
        {
            "calibrations": [calibration] * 5,
            "within_calibration": calibration,
            "records": no_records().as_json(),
        }
    )
    model = SelectorModel(wrapper.booster_.model_to_string(), feature_schema("1h"), metrics)
    return model, wrapper, features


def window() -> OHLCV:
    rng = np.random.default_rng(2)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 500)))
    open_ = np.concatenate(([100.0], close[:-1]))
    reach = rng.uniform(0, 0.005, (2, 500))
    high, low = np.maximum(open_, close) * (1 + reach[0]), np.minimum(open_, close) * (1 - reach[1])
    times = int(AS_OF.timestamp() * 1000) - 3_600_000 * np.arange(500, 0, -1)
    return OHLCV(times, open_, high, low, close, rng.uniform(1, 100, 500))


def in_turns(ways: dict[str, Callable[[np.ndarray], object]], features: np.ndarray) -> dict[str, float]:
    """Median microseconds of a call, the ways one after the other in each turn."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS):
        for name, way in ways.items():
            begun = time.perf_counter()
            for row in features[turn * CALLS : (turn + 1) * CALLS]:
                way(row)
            taken[name].append((time.perf_counter() - begun) / CALLS * 1e6)
    return {name: statistics.median(each) for name, each in taken.items()}


def decide(model: SelectorModel, candles: OHLCV) -> object:
    """As a cycle does; where nobody speaks, all are ranked, so that no decision is cheaper for that."""
    analysis = analyse(candles, DecisionContext(as_of=AS_OF, memo={}), can_short=True)
    return model.choose(analysis.row, analysis.place, analysis.speaking or NAMES)


Goal = tuple[str, float, float, str, bool]  # name, value, goal, unit, met


def section(medians: dict[str, float], goals: list[Goal]) -> str:
    lines = [
        BEGIN,
        "## The selector",
        "",
        "`python benchmarks/autopilot.py`",
        "",
        f"Commit {commit()}, {machine()}. {ROUNDS} rounds, {COLUMNS} features, equal to 1e-12 on {ROWS:,} rows.",
        "",
        "| single row, one thread | microseconds (median) |",
        "|---|---:|",
        *(f"| {name} | {each:.1f} |" for name, each in medians.items()),
        "",
        "| figure | measured | goal | |",
        "|---|---:|---:|---|",
        *(
            f"| {name} | {value:.1f} {unit} | {'≥' if unit == 'x' else '≤'} {goal:g} {unit} | "
            f"{'met' if met else 'missed'} |"
            for name, value, goal, unit, met in goals
        ),
        END,
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markdown", type=Path, help="write the section into this file as well")
    asked = parser.parse_args()
    model, wrapper, features = trained()
    ways: dict[str, Callable[[np.ndarray], object]] = {
        "ours (single-row fast path)": model.group_probabilities,
        "Booster.predict(num_threads=1)": lambda row: model.booster.predict(row[np.newaxis], num_threads=1),
        "LGBMClassifier.predict_proba": lambda row: wrapper.predict_proba(row[np.newaxis]),
    }
    ours = np.array([model.group_probabilities(row) for row in features])
    for name, other in (
        ("booster", model.booster.predict(features, num_threads=1)),
        ("wrapper", wrapper.predict_proba(features)),
    ):
        np.testing.assert_allclose(ours, other, rtol=0, atol=1e-12, err_msg=name)
    medians = in_turns(ways, features)
    candles = window()
    decide(model, candles)
    decisions = []
    for _ in range(DECISIONS):
        begun = time.process_time()
        decide(model, candles)
        decisions.append((time.process_time() - begun) * 1e3)
    mine, booster, sklearn = medians.values()
    decision = statistics.median(decisions)
    clock, processor = median_seconds()
    goals: list[Goal] = [
        (
            "against Booster.predict(num_threads=1)",
            booster / mine,
            GOAL_BOOSTER,
            "x",
            booster / mine >= GOAL_BOOSTER,
        ),
        (
            "against the scikit-learn wrapper",
            sklearn / mine,
            GOAL_WRAPPER,
            "x",
            sklearn / mine >= GOAL_WRAPPER,
        ),
        ("one decision, p50", decision, GOAL_DECISION_MS, "ms", decision <= GOAL_DECISION_MS),
        (
            f"a cycle of {INSTRUMENTS} instruments, by the clock",
            clock,
            GOAL_CYCLE_S,
            "s",
            clock <= GOAL_CYCLE_S,
        ),
        (
            f"a cycle of {INSTRUMENTS} instruments, of this processor",
            processor,
            GOAL_CYCLE_S,
            "s",
            processor <= GOAL_CYCLE_S,
        ),
    ]
    report = section(medians, goals)
    print(report)
    if asked.markdown:
        write_section(asked.markdown, report, BEGIN, END)
    sys.exit(not all(met for *_, met in goals))


if __name__ == "__main__":
    main()
