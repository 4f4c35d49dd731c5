"""A stored search as tables and maps for its page and its file."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from research.models import Sweep

if TYPE_CHECKING:
    from research.engine.overfitting import SensitivityMap


def sweep_arrays(sweep: Sweep) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(bytes(sweep.arrays or b"")), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def searched(sweep: Sweep) -> list[str]:
    return list(sweep.parameters["space"])


def ranked(sweep: Sweep) -> list[dict[str, Any]]:
    """Its trials, the best first, those without a score last; `cells` in the order of `searched`."""
    names = searched(sweep)
    rows = [
        row | {"cells": [row["parameters"][name] for name in names]}
        for row in (sweep.report or {}).get("rows", [])
    ]
    return sorted(rows, key=lambda row: (row["score"] is None, -(row["score"] or 0.0)))


def map_of(sweep: Sweep, x: str, y: str) -> "SensitivityMap | None":
    """None where no trial has a score, or there are not two parameters."""
    from research.engine.overfitting import sensitivity_map  # noqa: PLC0415  (compiled code)

    rows = (sweep.report or {}).get("rows", [])
    if x == y or not any(row["score"] is not None for row in rows):
        return None
    scores = [np.nan if row["score"] is None else row["score"] for row in rows]
    columns = {name: [row["parameters"][name] for row in rows] for name in (x, y)}
    return sensitivity_map(columns, scores, x=x, y=y)
