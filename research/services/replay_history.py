"""What a replay needs of each timeframe before it begins, and what of it is not stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q

from signals.engine.cost_rates import AssetClass
from signals.engine.timeframe import TIMEFRAME_WEIGHTS, WINDOW_BARS, Timeframe
from signals.market.models import Candle, Instrument

LONGEST_CLOSURE = timedelta(days=5)  # of a market that rests: a weekend with holidays around it
HOLES = 0.02  # of the bars of a market that never rests; an outage of an exchange is shorter


@dataclass(frozen=True, slots=True)
class Lacking:
    """History that a replay needs and that is not stored, with the command that fetches it."""

    instrument: Instrument
    timeframe: Timeframe
    needed_from: datetime
    what: str

    @property
    def words(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.what}"

    @property
    def command(self) -> str:
        on = f" --exchange {self.instrument.exchange.code}" if self._is_on_several() else ""
        what = f"{self.instrument} --timeframe {self.timeframe}"
        return f"manage.py backfill {what} --from {self.needed_from:%Y-%m-%d}{on}"

    def _is_on_several(self) -> bool:
        return Instrument.objects.filter(symbol=self.instrument.symbol).count() > 1


def lacking_history(
    instruments: Iterable[Instrument], *, start: datetime, end: datetime, now: datetime
) -> list[Lacking]:
    """Of each timeframe the decision's window of bars before `start`, and the bars up to `end`."""
    found = []
    for instrument in instruments:
        for timeframe in TIMEFRAME_WEIGHTS:
            needed = start - timedelta(seconds=WINDOW_BARS * timeframe.seconds)
            if what := _lacking(instrument, timeframe, needed, min(end, now)):
                found.append(Lacking(instrument, timeframe, needed, what))
    return found


def _lacking(instrument: Instrument, timeframe: Timeframe, needed: datetime, end: datetime) -> str:
    """In words; empty where everything is there."""
    length = timedelta(seconds=timeframe.seconds)
    stored = Candle.objects.filter(instrument=instrument, timeframe=timeframe.value).aggregate(
        first=Min("open_time"),
        last=Max("open_time"),
        count=Count("open_time", filter=Q(open_time__gte=needed, open_time__lt=end)),
    )
    if stored["first"] is None:
        return "has no candles"
    never_rests = AssetClass(instrument.asset_class) is AssetClass.CRYPTO
    slack = length if never_rests else max(length, LONGEST_CLOSURE)
    if stored["first"] > needed + slack:
        return f"begins at {stored['first']:%Y-%m-%d}, needed from {needed:%Y-%m-%d}"
    if stored["last"] + length + slack < end:
        return f"ends at {stored['last'] + length:%Y-%m-%d}, needed until {end:%Y-%m-%d}"
    bars = (end - needed) // length
    if never_rests and stored["count"] < (1 - HOLES) * bars - 1:
        return f"has {stored['count']} of {bars} candles from {needed:%Y-%m-%d} on"
    return ""
