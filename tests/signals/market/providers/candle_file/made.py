"""One series of bars, and the many ways in which people write it down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import CandleFile, Reading, read_candle_file

START = datetime(2024, 1, 9, tzinfo=UTC)
ATHENS = ZoneInfo("Europe/Athens")


@dataclass(frozen=True)
class Bar:
    """Prices with two decimals and a volume with one, so that their text is exact."""

    opened: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def prices(self) -> tuple[float, float, float, float]:
        return self.open, self.high, self.low, self.close


def bars(
    count: int = 240,
    *,
    start: datetime = START,
    step: timedelta = timedelta(hours=1),
    seed: int = 3,
    level: float = 16_000,
) -> list[Bar]:
    rng = np.random.default_rng(seed)
    found, last = [], level
    for row in range(count):
        close = round(last * (1 + rng.normal(0, 0.004)), 2)
        high = round(max(last, close) + rng.uniform(0.01, 0.002 * level), 2)
        low = round(min(last, close) - rng.uniform(0.01, 0.002 * level), 2)
        volume = round(float(rng.uniform(1, 5_000)), 1)
        found.append(Bar(start + row * step, last, high, low, close, volume))
        last = close
    return found


def read(path: Path, text: str | bytes, *, symbol: str | None = None, **said: object) -> CandleFile:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_candle_file(path, symbol=symbol, said=Reading(**said))  # type: ignore[arg-type]


def told(file: CandleFile) -> list[tuple[float, ...]]:
    raw = file.candles
    return [
        (float(moment), *row)
        for moment, row in zip(raw.open_time.tolist(), raw.values().tolist(), strict=True)
    ]


def truth(found: list[Bar]) -> list[tuple[float, ...]]:
    return [(bar.opened.timestamp() * 1000, *bar.prices, bar.volume) for bar in found]


def table(
    found: list[Bar],
    *,
    time: Callable[[datetime], str],
    number: Callable[[float], str] = "{:.2f}".format,
    delimiter: str = ",",
    header: str | None = "time,open,high,low,close,volume",
    quote: bool = False,
) -> str:
    """CSV. `time` may give two cells, with the delimiter between them."""
    lines = [header.replace(",", delimiter)] if header else []
    for bar in found:
        cells = [time(bar.opened), *map(number, (*bar.prices, bar.volume))]
        lines.append(delimiter.join(f'"{cell}"' if quote else cell for cell in cells))
    return "\n".join(lines) + "\n"


HOURS = Timeframe.H1
