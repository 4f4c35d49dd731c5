"""The fused decision: three timeframes, every strategy, one signal or a reason why there is none.

How the blend works. Each strategy is read over each timeframe's window; its newest event within the
last memory_bars bars is its vote: signed confidence, halved every half_life_bars bars, so that a daily
turn is still heard while the hours that follow decide when to act. An event that happened in a regime
for which its strategy's group is not made (`suited`, after the seed documents' table) counts out_of_place
of itself; where the regime is not known, nothing is held against it. A timeframe's score is the mean of
its votes; who was silent is not counted, because no opinion is not a neutral one. The blended score is
the weighted sum over the timeframes (design: 1h .20, 4h .30, 1d .50), a silent timeframe adding
nothing. A signal is published when two things hold: |score| reaches minimum_score, and something has
just changed its way, that is, an event in its direction stands on a bar that closed after the base bar before
this one. Nothing is remembered between calls, so a replay and a restart decide the same.

`confirmed` and `consensus` read votes: they are asked last and given, bar by bar, what the others' votes
stood at. Votes, sentiment and partner in the context speak of base bars; on longer bars they are absent.
A strategy without its input, or with too short a window, abstains and the decision says so.

A base bar that the isolation forest finds unusual puts a caution beside the reasons and changes nothing else.

Sentiment votes like any other strategy, and is then held to what would be decided without it (`mood`): it may end a
signal or make it less sure; it opens none.

Confidence is 1 - exp(-|score| / score_scale): uncalibrated, a ranking rather than a probability.
The volatility forecast draws the levels and never enters the blend; feedback weights enter neither.

The stop stands stop_deviations deviations of the forecast until the signal expires from the entry, the
target target_per_stop times as far. The range of a Gaussian walk is sqrt(8 / pi) = 1.596 deviations on average
(Feller 1951) and four bars deviate twice as far as one: where volatility stays what it was, this stop
is the one of stop_atr average true ranges that is taken without a forecast. However wild the forecast, the
stop stays within a factor of level_bound of that one. A stop nearer than stop_costs round trips of costs, or than
stop_ticks ticks, is refused, and so is a market of whose last still_bars bars still_limit did not move.

`decisions` decides every base bar of any stretch of candles; `explain` is its last row, in words. Every name
in small letters here is a field of `HybridSettings`.
"""

from signals.engine.horizon import VALIDITY_BARS
from signals.engine.hybrid.decision import (
    OUTCOMES,
    STRATEGY_NAMES,
    Decision,
    DecisionSeries,
    Outcome,
    Vote,
    Why,
)
from signals.engine.hybrid.explanation import Heard, decide, explain, timeframe_of
from signals.engine.hybrid.hearing import opinions, standing_votes
from signals.engine.hybrid.series import decisions
from signals.engine.hybrid.settings import (
    BASE_TIMEFRAME,
    DEFAULTS,
    STOP_ATR,
    STOP_DEVIATIONS,
    SUITED,
    HybridSettings,
)
from signals.engine.timeframe import TIMEFRAME_WEIGHTS

__all__ = [
    "BASE_TIMEFRAME",
    "DEFAULTS",
    "OUTCOMES",
    "STOP_ATR",
    "STOP_DEVIATIONS",
    "STRATEGY_NAMES",
    "SUITED",
    "TIMEFRAME_WEIGHTS",
    "VALIDITY_BARS",
    "Decision",
    "DecisionSeries",
    "Heard",
    "HybridSettings",
    "Outcome",
    "Vote",
    "Why",
    "decide",
    "decisions",
    "explain",
    "opinions",
    "standing_votes",
    "timeframe_of",
]
