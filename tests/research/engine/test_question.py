import numpy as np
import pytest

from research.engine.question import combination_hash, dataset_hash, question_hash
from signals.engine.candle import OHLCV


def bars(close: float = 1.0) -> OHLCV:
    return OHLCV(np.arange(3), *[np.full(3, close)] * 4, np.ones(3))


def test_a_dataset_is_its_candles_by_name_in_any_order() -> None:
    first = dataset_hash({"a": bars(), "b": bars(2.0)})

    assert first == dataset_hash({"b": bars(2.0), "a": bars()})
    others = [{"a": bars(2.0), "b": bars()}, {"a": bars(), "b": bars(2.1)}, {"a": bars()}, {"a": bars()[:2]}]
    assert len({first, *(dataset_hash(each) for each in others)}) == 5


def test_a_combination_is_its_values_whatever_their_order_and_type() -> None:
    one = combination_hash({"strategy": "rsi", "period": 14, "bounds": (30, 70)})

    assert one == combination_hash({"bounds": [30.0, 70.0], "period": 14.0, "strategy": "rsi"})
    assert one != combination_hash({"strategy": "rsi", "period": 15, "bounds": (30, 70)})
    with pytest.raises(ValueError, match="JSON"):
        combination_hash({"period": float("nan")})


def test_a_question_differs_with_each_of_its_parts() -> None:
    asked = {"instruments": ["x:a", "x:b"], "timeframe": "1h", "dataset": "d", "objective": "sharpe"}

    found = {
        question_hash(**asked | change)  # type: ignore[arg-type]
        for change in (
            {},
            {"instruments": ["x:b", "x:a"]},
            {"instruments": ["x:a"]},
            {"timeframe": "4h"},
            {"dataset": "e"},
            {"objective": "calmar"},
        )
    }

    assert len(found) == 5
