"""Everything that is known of a selector: its skill, calibration, importance, drift and how often it would have fired.

All figures are of rows that the judged models had not seen, but for the strategies' records (over all samples).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from autopilot.engine.bootstrap import Samples
from autopilot.engine.confidence import (
    Confidence,
    best_of_group,
    calibration_as_json,
    fit_outcomes,
    fit_within,
)
from autopilot.engine.skill import GROUPS, IntArray, Judged, measure, result_gain_bounds
from signals.engine.calibration import Calibration, expected_calibration_error
from signals.engine.candle import FloatArray
from signals.engine.features import MARKET_FEATURES

DAY_MS = 86_400_000
FIRING_DAYS = 90
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
BINS = 10
FEWEST_IN_A_YEAR = 50
DRIFT_SHARE = 5 / 6
DRIFTED = 0.25  # Siddiqi, Credit Risk Scorecards (2006): above it a population has shifted
EVEN = 1e-4


def fit_group_calibrations(judged: Judged) -> list[Calibration]:
    """Of each group, from the model's rank to P(its trades end above zero after costs), on rows out of sample."""
    return [_calibrated(judged, place) for place in range(GROUPS)]


def _calibrated(judged: Judged, place: int) -> Calibration:
    made = np.full(len(judged.labels), np.nan) if judged.results is None else judged.results[:, place]
    there = np.isfinite(made)
    return fit_outcomes(judged.model[there, place], made[there] > 0)


def model_metrics(
    samples: Samples, judged: Judged, judged_rows: IntArray, importance: FloatArray
) -> dict[str, Any]:
    """What `TrainedModel.metrics` keeps of a fit: JSON, None for what could not be computed."""
    calibrations = fit_group_calibrations(judged)
    within = fit_within(samples)
    fired = would_have_fired(
        samples, judged, judged_rows, [Confidence(each, within) for each in calibrations]
    )
    return plain(
        {
            "out_of_sample": asdict(measure(judged, samples.horizon_ms)),
            "result_gain_bounds": result_gain_bounds(judged, samples.horizon_ms),
            "by_year": by_year(judged, samples.horizon_ms),
            "samples": len(samples),
            "instruments": list(samples.names),
            "left_out": list(samples.left_out),
            "class_counts": np.bincount(samples.labels, minlength=GROUPS).tolist(),
            "horizon_hours": samples.horizon_ms / 3_600_000,
            "confusion": confusion(judged),
            "reliability": reliability(judged),
            "importance": dict(zip(MARKET_FEATURES, importance.tolist(), strict=True)),
            "drift": drift(samples),
            "calibrations": [calibration_as_json(each) for each in calibrations],
            "within_calibration": calibration_as_json(within),
            "records": samples.records.as_json(),
            "firing": fired.as_json(),
        }
    )


def by_year(judged: Judged, horizon_ms: int) -> list[dict[str, Any]]:
    """The same figures of each calendar year (UTC) with enough rows."""
    years = np.array([datetime.fromtimestamp(each / 1000, UTC).year for each in judged.decided_at.tolist()])
    found = []
    for year in sorted(set(years.tolist())):
        rows = years == year
        if rows.sum() >= FEWEST_IN_A_YEAR:
            found.append({"year": year} | asdict(measure(part_of(judged, rows), horizon_ms)))
    return found


def part_of(judged: Judged, rows: Any) -> Judged:
    """Some rows of it."""
    found: dict[str, Any] = {}
    for name in Judged.__dataclass_fields__:
        column = getattr(judged, name)
        found[name] = None if column is None else column[rows]
    return Judged(**found)


def confusion(judged: Judged) -> list[list[int]]:
    """Rows: the group that paid best; columns: the group that the model ranked first."""
    table = np.zeros((GROUPS, GROUPS), dtype=np.int64)
    if len(judged.labels):
        np.add.at(table, (judged.labels, judged.model.argmax(axis=1)), 1)
    counted: list[list[int]] = table.tolist()
    return counted


def reliability(judged: Judged) -> dict[str, Any]:
    """Promised and seen frequency of profit, on the newer half by maps fitted on the older half.

    `raw_error` is what the uncalibrated rank would have been wrong by, were it read as a probability of profit.
    """
    half = len(judged.labels) // 2
    promised, seen, raw = [], [], []
    if judged.results is not None and half:
        older, newer = part_of(judged, slice(0, half)), part_of(judged, slice(half, None))
        for place, calibration in enumerate(fit_group_calibrations(older)):
            made = judged.results[half:, place]
            there = np.isfinite(made)
            if calibration.n and there.any():
                promised.append(calibration.probability(newer.model[there, place]))
                raw.append(newer.model[there, place])
                seen.append((made[there] > 0).astype(np.float64))
    if not promised:
        return {"n": 0, "bins": [], "error": None, "raw_error": None}
    told, came, rank = np.concatenate(promised), np.concatenate(seen), np.concatenate(raw)
    parts = [part for part in np.array_split(np.argsort(told, kind="stable"), BINS) if len(part)]
    return {
        "n": len(told),
        "bins": [[float(told[part].mean()), float(came[part].mean()), len(part)] for part in parts],
        "error": expected_calibration_error(told, came),
        "raw_error": expected_calibration_error(rank, came),
    }


def drift(samples: Samples) -> dict[str, Any]:
    """Population stability index of each feature, the newest sixth of the rows against those before."""
    cut = int(len(samples) * DRIFT_SHARE)
    edges = {name: _edges(samples.features[:cut, place]) for place, name in enumerate(MARKET_FEATURES)}
    before = {name: samples.features[:cut, place] for place, name in enumerate(MARKET_FEATURES)}
    return {
        "index": stability_indices(edges, shares(edges, before), samples.features[cut:]),
        "limit": DRIFTED,
        "edges": edges,
        "expected": shares(
            edges, {name: samples.features[:, place] for place, name in enumerate(MARKET_FEATURES)}
        ),
    }


def stability_indices(
    edges: Mapping[str, Sequence[float]], expected: Mapping[str, Sequence[float]], features: FloatArray
) -> dict[str, float | None]:
    """Of each of MARKET_FEATURES, how far its new values are from the shares that were expected between the edges."""
    found = {}
    for place, name in enumerate(MARKET_FEATURES):
        actual = _shares(features[:, place], edges[name])
        found[name] = stability_index(np.asarray(expected[name]), actual) if len(actual) else None
    return found


def shares(edges: Mapping[str, Sequence[float]], columns: Mapping[str, FloatArray]) -> dict[str, list[float]]:
    return {name: _shares(column, edges[name]).tolist() for name, column in columns.items()}


def stability_index(expected: FloatArray, actual: FloatArray) -> float | None:
    """Of two lists of shares over the same bins; None where one of them is empty, for lack of any value."""
    if len(expected) == 0 or len(actual) == 0:
        return None
    old, new = np.maximum(expected, EVEN), np.maximum(actual, EVEN)
    return float(((new - old) * np.log(new / old)).sum())


def _shares(values: FloatArray, edges: Sequence[float]) -> FloatArray:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return np.empty(0)
    counted: FloatArray = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1) / len(known)
    return counted


def _edges(values: FloatArray) -> list[float]:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return []
    edges: list[float] = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])).tolist()
    return edges


@dataclass(frozen=True, slots=True)
class Firing:
    """How many decisions of the last FIRING_DAYS would have reached each threshold, over `instruments` together.

    spoken: decisions at which the chosen group's strategy spoke and its P(profit) is known.
    weekly: the threshold that is reached about once a week on one instrument; None where not even that many spoke.
    """

    days: float
    instruments: int
    spoken: int
    counts: Mapping[float, int]
    weekly: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"counts": [[threshold, count] for threshold, count in self.counts.items()]}


def would_have_fired(
    samples: Samples, judged: Judged, judged_rows: IntArray, confidences: Sequence[Confidence]
) -> Firing:
    """Judged out of sample; the maps and the records are those of the whole training."""
    products = spoken_confidences(samples, judged, judged_rows, confidences)
    newest = int(judged.decided_at[-1]) if len(judged.decided_at) else 0
    late = judged.decided_at > newest - FIRING_DAYS * DAY_MS
    said = np.sort(products[late & np.isfinite(products)])[::-1]
    days = float((newest - judged.decided_at[late][0]) / DAY_MS) if late.any() else 0.0
    counts = {threshold: int((said >= threshold).sum()) for threshold in THRESHOLDS}
    return Firing(
        days=days,
        instruments=len(samples.names),
        spoken=len(said),
        counts=counts,
        weekly=_reached_about(said, days / 7 * len(samples.names)),
    )


def _reached_about(said: FloatArray, times: float) -> float | None:
    """The confidence that is reached nearest to `times`; None where fewer were said, or once is too often."""
    if not 1 <= times <= len(said):
        return None
    levels, counts = np.unique(said, return_counts=True)
    reached = np.cumsum(counts[::-1])[::-1]
    return float(levels[np.abs(reached - times).argmin()])


def spoken_confidences(
    samples: Samples, judged: Judged, judged_rows: IntArray, confidences: Sequence[Confidence]
) -> FloatArray:
    """Of each judged row P(profit), NaN where nobody of the chosen group spoke or where it is uncalibrated."""
    told = np.full(len(judged_rows), np.nan)
    if len(judged_rows) == 0:
        return told
    chosen = judged.model.argmax(axis=1)
    regime, within = samples.regime[judged_rows], samples.records.confidence()
    best = best_of_group(samples.fired[judged_rows], regime, chosen, samples.records)
    for place in range(GROUPS):
        rows = np.flatnonzero((chosen == place) & (best >= 0))
        told[rows] = confidences[place].products(
            judged.model[rows, place], within[best[rows], regime[rows].astype(np.int64)]
        )
    return told


def plain(value: Any) -> Any:
    """JSON: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
