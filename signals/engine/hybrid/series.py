"""The decision at every base bar of a stretch of candles, all at once."""

from collections.abc import Mapping

from signals.engine.candle import OHLCV
from signals.engine.hybrid.decision import DecisionSeries
from signals.engine.hybrid.hearing import hear
from signals.engine.hybrid.mood import blend_with_mood
from signals.engine.hybrid.settings import HybridSettings
from signals.engine.strategy import DecisionContext
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe


def decisions(
    windows: Mapping[Timeframe, OHLCV], settings: HybridSettings, context: DecisionContext
) -> DecisionSeries:
    """Decide at the close of each bar of `windows[BASE_TIMEFRAME]`, each row from what had closed by then.

    windows: closed bars of every timeframe of the settings, of any length; the longer ones should begin some
    hundred bars before the rows that are asked for, or these are refused as too short. What the context says
    of many bars is aligned to the base window's end; one number speaks of its last bar only. Rows that close
    after `context.as_of` are refused. A row equals `explain` on windows that end there.
    ValueError where a window is not given.
    """
    lacking = [timeframe for timeframe in settings.timeframe_weights if timeframe not in windows]
    if lacking:
        raise ValueError(f"no window of {', '.join(lacking)}: decisions need every timeframe that is weighed")
    hearings = [
        hear(timeframe, windows[timeframe], context, settings) for timeframe in settings.timeframe_weights
    ]
    base = windows[BASE_TIMEFRAME]
    return blend_with_mood(base, hearings, base.open_time + BASE_TIMEFRAME.milliseconds, settings, context)
