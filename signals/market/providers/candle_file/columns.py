"""Which column means what."""

import numpy as np

from signals.engine.candle import FloatArray
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.table import Table

PRICES = ("open", "high", "low", "close")
# A machine's time before a human's: cryptodatadownload's files carry both.
TIMES = (
    "open_time",
    "unix",
    "unix_timestamp",
    "unix_time",
    "timestamp",
    "time",
    "datetime",
    "date",
    "gmt_time",
)
SYMBOLS = ("symbol", "pair", "ticker")


def time_column(table: Table) -> str:
    """Raises FileRefusedError when no column is known to hold the time."""
    for name in TIMES:
        if name in table.columns:
            return name
    raise FileRefusedError(table.path, f"no time column: name one {', '.join(TIMES[:5])} or date")


def symbol_in(table: Table) -> str | None:
    """The one symbol that the rows name, if they name any. Raises FileRefusedError when they name several."""
    for name in SYMBOLS:
        if name in table.columns:
            found = sorted(set(table.columns[name]))
            if len(found) > 1:
                raise FileRefusedError(
                    table.path, f"holds several symbols ({', '.join(found[:4])}): split the file"
                )
            return str(found[0])
    return None


def numbers(table: Table, column: str) -> FloatArray:
    """The column as float64; what is no number becomes NaN, which inspection refuses with its line."""
    return np.array([_number(cell) for cell in table.columns[column]], dtype=np.float64)


def _number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
