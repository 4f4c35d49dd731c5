"""Signals that have ended, as columns: what analytics counts, packed into bytes and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from signals.engine.candle import FloatArray
from signals.engine.session import TradingSession

SESSIONS = tuple(each.value for each in TradingSession)
ANSWERS = ("no answer", "ignored", "acted")
CODED = ("strategy", "source", "regime")
# Seconds since the epoch are float64; session: a bit for each of SESSIONS; answer: place in ANSWERS; strategy, source
# and regime: places in `names`.
ROW = np.dtype(
    [
        ("signal", "<i8"),
        ("r", "<f8"),
        ("exited", "<f8"),
        ("published", "<f8"),
        ("expires", "<f8"),
        ("confidence", "<f8"),
        ("instrument", "<i4"),
        ("strategy", "<u2"),
        ("source", "<u2"),
        ("regime", "<u2"),
        ("session", "u1"),
        ("experimental", "?"),
        ("answer", "u1"),
    ]
)
# What came of it for whom it reached so much later: NaN where it reached nobody in time; `open` where it has not ended.
LATE_ROW = np.dtype([("r", "<f8"), ("exited", "<f8"), ("open", "?")])

Rows = npt.NDArray[np.void]


@dataclass(frozen=True, eq=False)
class EndedSignals:
    """Rows of ROW by the end, oldest first; `late`: rows of LATE_ROW beside them, by the delay in seconds."""

    rows: Rows
    names: Mapping[str, Sequence[str]]
    late: Mapping[int, Rows]

    def column(self, name: str) -> FloatArray:
        return self.rows[name].astype(np.float64)


def joined(parts: Sequence[EndedSignals], delays: Sequence[int]) -> EndedSignals:
    """Several, in the ledger's order, as one in the order of the ends; of equal ends the ledger's order stays.

    Where a part knows nothing of a delay, its rows are left open there.
    """
    rows = np.concatenate([np.empty(0, dtype=ROW), *(part.rows for part in parts)])
    edges = np.cumsum([0, *(len(part.rows) for part in parts)])
    names: dict[str, list[str]] = {name: [] for name in CODED}
    for part, first, last in zip(parts, edges, edges[1:], strict=False):
        for name in CODED:
            known = names[name]
            known.extend(each for each in part.names[name] if each not in known)
            places = np.array([known.index(each) for each in part.names[name]], dtype=np.uint16)
            if len(part.rows) and (places != np.arange(len(places))).any():
                rows[name][first:last] = places[rows[name][first:last]]
    order = np.argsort(rows["exited"], kind="stable")
    late = {
        delay: np.concatenate([np.empty(0, dtype=LATE_ROW), *(_late(part, delay) for part in parts)])[order]
        for delay in delays
    }
    return EndedSignals(rows[order], names, late)


def unknown_late(rows: int) -> Rows:
    found = np.zeros(rows, dtype=LATE_ROW)
    found["r"], found["exited"], found["open"] = np.nan, np.nan, True
    return found


def packed(signals: EndedSignals) -> bytes:
    return b"".join((signals.rows.tobytes(), *(signals.late[delay].tobytes() for delay in signals.late)))


def unpacked(
    data: bytes | memoryview, *, count: int, names: Mapping[str, Sequence[str]], delays: Sequence[int]
) -> EndedSignals:
    """ValueError where the bytes are not as many as that."""
    expected = count * (ROW.itemsize + LATE_ROW.itemsize * len(delays))
    if len(data) != expected:
        raise ValueError(
            f"{count} ended signals at {len(delays)} delays are {expected} bytes, not {len(data)}"
        )
    rows = np.frombuffer(data, dtype=ROW, count=count)
    late = {
        delay: np.frombuffer(
            data, dtype=LATE_ROW, count=count, offset=count * (ROW.itemsize + number * LATE_ROW.itemsize)
        )
        for number, delay in enumerate(delays)
    }
    return EndedSignals(rows, names, late)


def _late(part: EndedSignals, delay: int) -> Rows:
    return part.late.get(delay, unknown_late(len(part.rows)))
