"""Names for what a study asks and what a trial tries: the same question and the same candles, the same hash."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from hashlib import sha256
from typing import Any

from signals.engine.candle import OHLCV


def dataset_hash(markets: Mapping[str, OHLCV]) -> str:
    """Of every candle of every market, by name; whatever their order. 64 hexadecimal digits."""
    digest = sha256()
    for name in sorted(markets):
        digest.update(f"{name}:{len(markets[name])};".encode())
        for column in fields(OHLCV):
            values = getattr(markets[name], column.name)
            digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def question_hash(*, instruments: Sequence[str], timeframe: str, dataset: str, objective: str) -> str:
    """Of a research question; `instruments` in any order."""
    return _hash([sorted(instruments), timeframe, dataset, objective])


def combination_hash(parameters: Mapping[str, Any]) -> str:
    """Of parameters that JSON can hold, in any order of their names; 2 and 2.0 are the same."""
    return _hash(_plain(parameters))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()
