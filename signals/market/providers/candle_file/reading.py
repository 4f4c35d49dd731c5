"""How a file is to be read: what the user said, which wins over whatever it looks like."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file.clock_words import DateOrder
from signals.market.providers.candle_file.file_format import FileFormat
from signals.market.providers.candle_file.numbers import Decimal


@dataclass(frozen=True)
class Reading:
    """None where the user said nothing. `timezone` is of times that name none; `closes`: times are those of closes."""

    format: FileFormat | None = None
    timeframe: Timeframe | None = None
    price_scale: float | None = None
    timezone: ZoneInfo | None = None
    decimal: Decimal | None = None
    date_order: DateOrder | None = None
    closes: bool = False
