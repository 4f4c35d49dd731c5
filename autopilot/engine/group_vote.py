"""The selector as a vote of the fused decision: what the groups' strategies say, each group by its probability."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from autopilot.engine.bootstrap import LOOK_BARS, Samples, TrainingMarket
from autopilot.engine.records import GROUP_OF
from autopilot.engine.skill import GROUPS, IntArray, Judged
from signals.engine.candle import FloatArray
from signals.engine.horizon import HORIZON_BARS
from signals.engine.hybrid import DEFAULTS, decisions, opinions, standing_votes
from signals.engine.marginal_value import held_for, marginal_weight
from signals.engine.policy_features import windows_of
from signals.engine.strategy import DecisionContext, StrategySeries, beginnings
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.engine.trading_env import walk

FEWEST_BARS = 300


def group_vote(told: FloatArray, series: Mapping[str, StrategySeries]) -> FloatArray:
    """(rows,), -1 to 1; 0 where nobody speaks, or where nothing was told.

    told: (rows, 5), of each row the probability that a group pays best, NaN where nothing was. A group says the mean of
    its strategies that stand by an event.
    """
    standing = np.nan_to_num(standing_votes(series))
    vote = np.zeros(standing.shape[1])
    for place in range(GROUPS):
        said = standing[place == GROUP_OF]
        speaking = (said != 0).sum(axis=0)
        vote += np.nan_to_num(told[:, place]) * said.sum(axis=0) / np.maximum(speaking, 1)
    return vote


def vote_weight(
    markets: Sequence[TrainingMarket],
    timeframe: Timeframe,
    samples: Samples,
    judged: Judged,
    judged_rows: IntArray,
) -> float:
    """What the vote adds to the fused decision, 0 to 1 (`marginal_weight`), over the bars of all markets.

    Only what folds told of rows that they had not seen is followed, and only as long as it speaks of. A vote is
    one of base bars: 0 on others, and where nothing was judged.
    """
    if timeframe is not BASE_TIMEFRAME or len(judged_rows) == 0:
        return 0.0
    of_rules, of_votes = [np.empty(0)], [np.empty(0)]
    for place, market in enumerate(markets):
        here = samples.markets[judged_rows] == place
        if not here.any() or len(market.candles) < FEWEST_BARS or not (market.candles.low > 0).all():
            continue
        rules, votes = _followed(market, samples.decided_at[judged_rows[here]], judged.model[here])
        of_rules.append(rules)
        of_votes.append(votes)
    return marginal_weight(np.concatenate(of_rules), np.concatenate(of_votes))


def _followed(
    market: TrainingMarket, decided_at: IntArray, told: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Net returns a bar of who follows the fused decision, and of who follows the vote, from the first row judged."""
    bars = market.candles
    closes = bars.open_time + BASE_TIMEFRAME.milliseconds
    as_of = datetime.fromtimestamp(int(closes[-1]) / 1000, UTC)
    newest = np.searchsorted(decided_at, closes, side="right") - 1
    known = newest >= 0
    known &= closes - decided_at[newest] < LOOK_BARS * BASE_TIMEFRAME.milliseconds
    said = np.where(known[:, np.newaxis], told[newest], np.nan)
    vote = group_vote(said, opinions(bars, DecisionContext(as_of=as_of, memo={})))
    fused = decisions(windows_of(bars), DEFAULTS, DecisionContext(as_of=as_of)).direction
    first = int(np.searchsorted(closes, decided_at[0]))
    made = []
    for events in (fused, beginnings(np.sign(vote).astype(np.int8))):
        actions = held_for(events.astype(np.float64), HORIZON_BARS)
        if not market.can_short:
            actions = np.where(actions == 2, 0.0, actions)
        made.append(np.expm1(walk(bars[first:], actions[first:], market.rates)[0]))
    return made[0], made[1]
