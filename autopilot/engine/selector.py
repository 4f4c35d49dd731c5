"""The champion asked at one close: which group, which of its strategies, how sure, and why.

The model ranks groups by the probability that each pays best; that is a rank and is never shown as a probability of
profit. group_confidence is the calibrated P(the group's trades end above zero after costs), strategy_confidence that of
the strategy's trade given that its group's do; their product estimates P(profit after costs).
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autopilot.engine.confidence import Confidence, calibration_from_json
from autopilot.engine.groups import GROUP_ORDER, MEMBERS, in_words, rule_groups
from autopilot.engine.records import NAMES, StrategyRecords, best_strategy
from autopilot.engine.skill import GROUPS
from signals.engine.candle import FloatArray
from signals.engine.features import MARKET_FEATURES
from signals.engine.strategy import StrategyGroup

if TYPE_CHECKING:
    import lightgbm

SCHEMA_VERSION = 1
C_API_NORMAL, C_API_FLOAT64 = 0, 1
REASONS = 5


class SchemaError(ValueError):
    """The model was made for other features or groups than today's; the message says which."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What moved the chosen group's score most: TreeSHAP, in log-odds; value None where it was not known."""

    feature: str
    value: float | None
    effect: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen at a close.

    strategy None: nobody of the group spoke. rank: the strategy's place among those of its group, 0 to 1; the model's
    probability that the group pays best times the strategy's record. probability and its interval are None where
    it is uncalibrated. by_rules: chosen without a model, and why in `why`.
    """

    group: StrategyGroup
    strategy: str | None
    by_rules: bool
    why: str
    group_probabilities: tuple[float, ...] | None = None
    group_confidence: float | None = None
    strategy_confidence: float | None = None
    probability: float | None = None
    probability_n: int | None = None
    probability_low: float | None = None
    probability_high: float | None = None
    reasons: tuple[Reason, ...] = ()


def feature_schema(timeframe: str) -> dict[str, Any]:
    """What a model of today reads and tells."""
    return {
        "version": SCHEMA_VERSION,
        "timeframe": timeframe,
        "features": list(MARKET_FEATURES),
        "groups": [group.value for group in GROUP_ORDER],
    }


def choose_by_rules(regime: int, speaking: Sequence[str], records: StrategyRecords, why: str) -> Choice:
    """Without a model: the group that is made for the regime (place in REGIMES, -1 unknown), its best on record."""
    group = GROUP_ORDER[int(rule_groups(np.array([regime], dtype=np.int8))[0])]
    strategy = best_strategy(records, [name for name in speaking if name in MEMBERS[group]], regime)
    return Choice(group=group, strategy=strategy, by_rules=True, why=why)


class SelectorModel:
    """A trained model ready to be asked one row at a time. Not for two threads at once: its buffers are its own."""

    def __init__(self, model_text: str, schema: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """SchemaError for other features or groups than today's, ValueError for a text that LightGBM cannot read."""
        expected = feature_schema(schema.get("timeframe", ""))
        for name in ("version", "features", "groups"):
            if schema.get(name) != expected[name]:
                raise SchemaError(f"the model was made for other {name} than today's: train anew")
        self.timeframe: str = expected["timeframe"]
        self.booster = read_booster(model_text)
        if self.booster.num_feature() != len(MARKET_FEATURES):
            raise SchemaError(
                f"the model reads {self.booster.num_feature()} features, today there are {len(MARKET_FEATURES)}"
            )
        within = calibration_from_json(metrics["within_calibration"])
        groups = [calibration_from_json(each) for each in metrics["calibrations"]]
        self.confidences = [Confidence(each, within) for each in groups]
        self.records = StrategyRecords.from_json(metrics["records"])
        self.vote_weight = float(metrics.get("vote_weight") or 0.0)  # measured by later trainings only
        self._ask = FastRow(self.booster)
        self._trees = [read_one_class(model_text, place) for place in range(GROUPS)]

    def group_probabilities(self, row: FloatArray) -> FloatArray:
        """Of one row of MARKET_FEATURES, that each group pays best: (5,), sums to 1."""
        return self._ask(row)

    def choose(
        self, row: FloatArray, regime: int, speaking: Sequence[str], recent: StrategyRecords | None = None
    ) -> Choice:
        """The group that ranks first and, of those of its strategies that speak, the one with the best record.

        recent: what has been traded since, added to the record of training.
        """
        told = self._ask(row)
        place = int(told.argmax())
        group = GROUP_ORDER[place]
        records = self.records if recent is None else self.records + recent
        members = [name for name in speaking if name in MEMBERS[group]]
        strategy = best_strategy(records, members, regime)
        within = strategy_confidence(records, strategy, regime) if strategy else None
        return Choice(
            group=group,
            strategy=strategy,
            by_rules=False,
            why=f"the model ranks {in_words(group)} first"
            + ("" if strategy else "; none of its strategies gives a signal"),
            group_probabilities=tuple(told.tolist()),
            **self.confidences[place].of(float(told[place]), within),
            reasons=self.reasons(row, place),
        )

    def reasons(self, row: FloatArray, place: int, most: int = REASONS) -> tuple[Reason, ...]:
        """TreeSHAP of one group's score, the largest first."""
        told = np.asarray(self._trees[place].predict(row[np.newaxis], pred_contrib=True, num_threads=1))
        effects = told[0, :-1]
        largest = np.argsort(-np.abs(effects), kind="stable")[:most]
        return tuple(
            Reason(
                MARKET_FEATURES[each],
                float(row[each]) if np.isfinite(row[each]) else None,
                float(effects[each]),
            )
            for each in largest.tolist()
            if effects[each] != 0
        )


def strategy_confidence(records: StrategyRecords, strategy: str, regime: int) -> float:
    table = records.confidence()[NAMES.index(strategy)]
    return float(table[regime] if regime >= 0 else table.mean())


def read_booster(model_text: str) -> "lightgbm.Booster":
    """ValueError for what is no LightGBM model of five classes."""
    import lightgbm  # noqa: PLC0415

    if not model_text.startswith("tree\n") or "end of trees" not in model_text:
        raise ValueError("this is no whole LightGBM model")
    try:
        booster = lightgbm.Booster(model_str=model_text)
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(f"LightGBM cannot read the model: {error}") from error
    if booster.num_model_per_iteration() != GROUPS:
        raise ValueError(f"the model tells {booster.num_model_per_iteration()} classes, not {GROUPS}")
    return booster


def read_one_class(model_text: str, place: int) -> "lightgbm.Booster":
    """One class's trees alone: their TreeSHAP is that class's part of the whole model's, at a fifth of the time."""
    import lightgbm  # noqa: PLC0415

    head, *trees = model_text.partition("end of trees")[0].split("\nTree=")
    alone = {"num_class": "1", "num_tree_per_iteration": "1", "objective": "regression"}
    lines = [line.partition("=") for line in head.splitlines() if not line.startswith("tree_sizes=")]
    kept = [f"{name}{sign}{alone.get(name, value)}" for name, sign, value in lines]
    own = [f"Tree={number}\n{tree.partition(chr(10))[2]}" for number, tree in enumerate(trees[place::GROUPS])]
    return lightgbm.Booster(model_str="\n".join([*kept, "", "\n".join(own), "end of trees", ""]))


class FastRow:
    """LightGBM's single-row fast path: parameters are read and buffers are made once, not at each call."""

    def __init__(self, booster: "lightgbm.Booster") -> None:
        import lightgbm.basic  # noqa: PLC0415

        self._booster = booster  # its trees must outlive this
        self._library = lightgbm.basic._LIB  # noqa: SLF001  (the C API is reached in no other way)
        self.columns = booster.num_feature()
        self._row = np.zeros(self.columns)
        self._told = np.zeros(GROUPS)
        self._length = ctypes.c_int64(0)
        self._config = ctypes.c_void_p()
        lightgbm.basic._safe_call(  # noqa: SLF001
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,  # noqa: SLF001
                ctypes.c_int(C_API_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(-1),
                ctypes.c_int(C_API_FLOAT64),
                ctypes.c_int32(self.columns),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(self._config),
            )
        )
        self._arguments = (
            self._config,
            self._row.ctypes.data_as(ctypes.c_void_p),
            ctypes.byref(self._length),
            self._told.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )
        self._predict = self._library.LGBM_BoosterPredictForMatSingleRowFast

    def __call__(self, row: FloatArray) -> FloatArray:
        """(k,) -> (5,), sums to 1. ValueError for a row of another length."""
        if row.shape != self._row.shape:
            raise ValueError(f"a row has {self.columns} features, not {row.shape}")
        self._row[:] = row
        if self._predict(*self._arguments) != 0:
            raise RuntimeError("LightGBM could not predict this row")
        told: FloatArray = self._told / self._told.sum()
        return told

    def __del__(self) -> None:
        if self._config:
            self._library.LGBM_FastConfigFree(self._config)
