"""Real candles from a folder of Parquet files named `<SYMBOL>_<interval>.parquet`."""

import re
from pathlib import Path

import numpy as np

from copilot_project.sandbox.config import SandboxError
from copilot_project.sandbox.market.bars import INTERVALS, Bars, no_bars, resample

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
FILE_NAME = re.compile(r"^([A-Z0-9]+)_(1m|5m|15m|1h|4h|1d)\.parquet$")


class RecordedMarket:
    """The bars as they were recorded; a gap stays a gap. Coarser intervals without a file are resampled."""

    name = "recorded"

    def __init__(self, folder: Path) -> None:
        self._bars = _read_folder(folder)
        self.symbols = tuple(sorted({symbol for symbol, _ in self._bars}))
        self.first_ms = max(self._hours(symbol)[0] for symbol in self.symbols)
        self.end_ms = min(self._hours(symbol)[1] for symbol in self.symbols)

    def finest(self, symbol: str) -> str:
        return min((name for owner, name in self._bars if owner == symbol), key=INTERVALS.__getitem__)

    def bars(self, symbol: str, interval: str, start_ms: int, end_ms: int) -> Bars:
        """Recorded bars that open in [start_ms, end_ms); empty where nothing was recorded."""
        return self._all(symbol, interval).between(start_ms, end_ms)

    def _all(self, symbol: str, interval: str) -> Bars:
        if (symbol, interval) not in self._bars:
            finest, step = self.finest(symbol), INTERVALS[interval]
            known = INTERVALS[finest] <= step
            self._bars[symbol, interval] = resample(self._bars[symbol, finest], step) if known else no_bars()
        return self._bars[symbol, interval]

    def _hours(self, symbol: str) -> tuple[int, int]:
        """First open time and end of the recording at the symbol's finest interval among 1h and coarser."""
        usable = [name for owner, name in self._bars if owner == symbol]
        name = "1h" if "1h" in usable else min(usable, key=INTERVALS.__getitem__)
        times = self._bars[symbol, name].open_time
        return int(times[0]), int(times[-1]) + INTERVALS[name]


def _read_folder(folder: Path) -> dict[tuple[str, str], Bars]:
    if not folder.is_dir():
        raise SandboxError(
            f"SANDBOX_DATA: {folder} is not a folder; name one with <SYMBOL>_<interval>.parquet files."
        )
    named = [(match, path) for path in sorted(folder.iterdir()) if (match := FILE_NAME.match(path.name))]
    bars = {(match[1], match[2]): _read_file(path) for match, path in named}
    filled = {key: value for key, value in bars.items() if len(value)}
    if not filled:
        raise SandboxError(f"SANDBOX_DATA: no candles in {folder}; it needs files like BTCUSDT_1h.parquet.")
    return filled


def _read_file(path: Path) -> Bars:
    import pyarrow as pa  # noqa: PLC0415  (most sandboxes have a simulated market)
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path, columns=list(COLUMNS))
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise SandboxError(f"SANDBOX_DATA: cannot read {path}: {error}") from error
    times, *prices = (table[name].to_numpy() for name in COLUMNS)
    if len(times) and not (np.diff(times) > 0).all():
        raise SandboxError(f"SANDBOX_DATA: {path} is not sorted by timestamp; sort it and drop duplicates.")
    return Bars(times.astype(np.int64), *(column.astype(np.float64) for column in prices))
