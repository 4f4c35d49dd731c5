"""Many trading episodes stepped at once: what a policy is trained and judged on.

A step decides at the close of bar t and fills at the open of bar t+1, at the price and for the fee that the fill
engine would take (`signals.engine.costs`); the reward is the change of the log of equity from close to close. A
position is the whole equity at its entry, long or short, and is left alone until it is given up. Actions: 0 is
flat, 1 long, 2 short.

An observation is the bar's features and the position (-1, 0 or 1), nothing else: whatever a policy reads is known
at the bar's close, and what it does in every position can be asked of all bars at once (`walk`).

An episode is a window at a random place of a random instrument. A window that ends is truncated: the market goes on,
so nothing is closed and nothing is charged. Only ruin terminates: equity below RUIN of what it was at the start.
"""

from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt
from numba import njit

from signals.engine.candle import OHLCV, FloatArray
from signals.engine.costs import SPOT_COSTS, CostRates, Costs, fee, slipped

FLAT, LONG, SHORT = 0, 1, 2
SIDES = np.array([0, 1, -1], dtype=np.int64)  # position by action
RUIN = 0.05
DIGITS = 9  # of the highest price, in ticks
LEAST_TICKS = 1_000
LOTS = 1_000_000  # so many that rounding a fee to one tick x lot is invisible

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class MarketBatch:
    """`episodes` markets at once, over one or many instruments.

    bars: closed candles of each instrument; features: (rows, k) of each, what was known at each bar's close. costs:
    rates, or whole parts per million. length: steps of an episode; None is from the first bar to the last. shorts:
    whether action 2 exists. scale: multiplies rewards. risk_aversion: takes that share of the squared reward away;
    drawdown_penalty: that share of what the fall from the highest equity has grown by.
    ValueError for arrays that do not fit, numbers that are not finite, prices at or below zero.
    """

    def __init__(  # noqa: PLR0913  (what a batch is made of)
        self,
        bars: OHLCV | Sequence[OHLCV],
        features: npt.ArrayLike | Sequence[npt.ArrayLike],
        episodes: int,
        costs: CostRates | Costs = SPOT_COSTS,
        *,
        length: int | None = 256,
        shorts: bool = True,
        scale: float = 1.0,
        risk_aversion: float = 0.0,
        drawdown_penalty: float = 0.0,
    ) -> None:
        if episodes < 1 or (length is not None and length < 1):
            raise ValueError(f"{episodes} episodes of {length} steps: at least one of each is needed")
        many = [bars] if isinstance(bars, OHLCV) else list(bars)
        given = [features] if isinstance(bars, OHLCV) else list(features)  # type: ignore[arg-type]
        if not many or len(many) != len(given):
            raise ValueError(f"{len(many)} instruments with {len(given)} arrays of features")
        tables = [_features(np.asarray(each), market) for each, market in zip(given, many, strict=True)]
        if len({each.shape[1] for each in tables}) > 1:
            raise ValueError("every instrument needs the same features")
        self.features = np.concatenate(tables)
        self.opens, self.closes = (np.concatenate(each) for each in zip(*map(in_ticks, many), strict=True))
        self.costs = as_costs(costs)
        self.episodes, self.actions = episodes, 3 if shorts else 2
        self.width = self.features.shape[1] + 1
        ends = np.cumsum([len(each) for each in many])
        self._windows(ends - [len(each) for each in many], ends, length)
        self._terms = np.array([scale, risk_aversion, drawdown_penalty])
        self._rng = np.random.default_rng(0)
        self.row, self.last, self.position = (np.zeros(episodes, dtype=np.int64) for _ in range(3))
        self.account = np.zeros((episodes, ACCOUNT))
        self.ruined = np.zeros(episodes, dtype=np.bool_)
        self.final_observations = np.zeros((episodes, self.width), dtype=np.float32)

    def _windows(self, firsts: IntArray, ends: IntArray, length: int | None) -> None:
        starts, lasts = [], []
        for first, end in zip(firsts, ends, strict=True):
            steps = end - first - 1 if length is None else min(length, end - first - 1)
            allowed = np.arange(first, end - steps)
            starts.append(allowed)
            lasts.append(allowed + steps)
        self.starts, self.lasts = np.concatenate(starts), np.concatenate(lasts)

    def reset(self, rng: np.random.Generator | None = None) -> Float32Array:
        """Begin every episode anew, at places drawn with `rng`, which also draws those that follow."""
        self._rng = self._rng if rng is None else rng
        self._begin(np.arange(self.episodes))
        return self._look()

    def step(self, actions: npt.ArrayLike) -> tuple[Float32Array, FloatArray, BoolArray]:
        """Observations (episodes, k), rewards and which episodes have ended, each with an action of its own.

        An episode that has ended begins anew at once and its row of the observations is of the new one; what it saw
        last stands in `final_observations`, whether by ruin in `ruined`. ValueError for an action that there is not.
        """
        chosen = np.asarray(actions, dtype=np.int64)
        if chosen.shape != (self.episodes,) or chosen.min() < 0 or chosen.max() >= self.actions:
            raise ValueError(f"actions must be {self.episodes} numbers from 0 to {self.actions - 1}")
        rewards, dones = np.empty(self.episodes), np.empty(self.episodes, dtype=np.bool_)
        _step(
            self.opens,
            self.closes,
            self.costs,
            self._terms,
            chosen,
            self.row,
            self.last,
            self.position,
            self.account,
            rewards,
            dones,
            self.ruined,
        )
        if dones.any():
            ended = np.flatnonzero(dones)
            self.final_observations[ended] = self._look()[ended]
            self._begin(ended)
        return self._look(), rewards, dones

    def _begin(self, which: IntArray) -> None:
        drawn = self._rng.integers(len(self.starts), size=len(which))
        self.row[which], self.last[which] = self.starts[drawn], self.lasts[drawn]
        self.position[which] = 0
        self.account[which] = (1.0, 0.0, 1.0, 1.0)

    def _look(self) -> Float32Array:
        seen = np.empty((self.episodes, self.width), dtype=np.float32)
        _observe(self.features, self.row, self.position, seen)
        return seen


def walk(
    bars: OHLCV,
    table: npt.ArrayLike,
    costs: CostRates | Costs = SPOT_COSTS,
) -> tuple[FloatArray, IntArray]:
    """One account through all bars: log returns from each close to the next, and the position held after each.

    table: (rows, 3) or (rows,), the action at each bar by the position held (in the order of `SIDES`), or whatever
    is held. What is open at the end is closed at the last close, for what that costs.
    """
    chosen = np.asarray(table, dtype=np.int64)
    if chosen.ndim == 1:
        chosen = np.repeat(chosen[:, None], 3, axis=1)
    if chosen.shape != (len(bars), 3) or chosen.min() < 0 or chosen.max() > SHORT:
        raise ValueError(f"actions must be ({len(bars)}, 3) numbers from 0 to 2, not {chosen.shape}")
    opens, closes = in_ticks(bars)
    return _walk(opens, closes, as_costs(costs), chosen)


def observations_by_position(features: npt.ArrayLike) -> Float32Array:
    """(rows x 3, k + 1): what a policy would see at every bar in every position, in the order of `SIDES`."""
    table = np.asarray(features, dtype=np.float32)
    seen = np.empty((len(table), 3, table.shape[1] + 1), dtype=np.float32)
    seen[:, :, :-1], seen[:, :, -1] = table[:, None, :], SIDES
    return seen.reshape(len(table) * 3, -1)


def foreseen(bars: OHLCV, costs: CostRates | Costs = SPOT_COSTS, *, shorts: bool = True) -> IntArray:
    """What somebody who knew all prices would do at each bar: dynamic programming over the position after costs."""
    opens, closes = in_ticks(bars)
    rates = as_costs(costs)
    return _foreseen(opens, closes, (rates.taker_ppm + rates.slippage_ppm) / 1e6, 3 if shorts else 2)


def as_costs(costs: CostRates | Costs) -> Costs:
    return costs.in_ppm() if isinstance(costs, CostRates) else costs


def in_ticks(bars: OHLCV) -> tuple[IntArray, IntArray]:
    """Opens and closes as whole ticks, DIGITS of them at the highest price."""
    if len(bars) < 2:
        raise ValueError(f"{len(bars)} bars: a step needs the next one")
    prices = np.stack((bars.open, bars.close))
    if prices.min() <= 0:
        raise ValueError("prices must be positive")
    ticks = np.rint(prices * 10.0 ** (DIGITS - 1 - np.floor(np.log10(prices.max())))).astype(np.int64)
    if ticks.min() < LEAST_TICKS:
        raise ValueError("prices of one market are too far apart to be counted in one tick")
    return ticks[0], ticks[1]


def _features(given: npt.ArrayLike, bars: OHLCV) -> Float32Array:
    table = np.asarray(given, dtype=np.float32)
    if table.ndim != 2 or len(table) != len(bars):
        raise ValueError(f"features must be ({len(bars)}, k), not {table.shape}")
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1)))
        raise ValueError(f"row {row}: features are not finite")
    return table


# An account: cash, units (negative when short), equity at the last close, the highest of these.
CASH, UNITS, EQUITY, HIGHEST = 0, 1, 2, 3
ACCOUNT = 4


@njit(cache=True)
def _trade(account: FloatArray, price: int, held: int, wanted: int, costs: Costs) -> None:
    """Give up what is held and take what is wanted, both at `price` ticks as market orders."""
    if held != 0:
        paid = slipped(price, -held, costs.slippage_ppm)
        charged = fee(paid, LOTS, costs.taker_ppm) / LOTS
        account[CASH] += account[UNITS] * paid - abs(account[UNITS]) * charged
        account[UNITS] = 0.0
    if wanted != 0 and account[CASH] > 0:
        paid = slipped(price, wanted, costs.slippage_ppm)
        charged = fee(paid, LOTS, costs.taker_ppm) / LOTS
        units = account[CASH] / paid
        account[CASH] -= wanted * units * paid + units * charged
        account[UNITS] = wanted * units


@njit(cache=True)
def _marked(account: FloatArray, price: int) -> tuple[float, bool]:
    """The log change of equity to a close, and whether that is ruin."""
    before = account[EQUITY]
    now = account[CASH] + account[UNITS] * price
    ruined = now <= RUIN
    account[EQUITY] = max(now, RUIN)
    return log(account[EQUITY] / before), ruined


@njit(cache=True)
def _step(  # noqa: PLR0913, PLR0917  (what a batch is made of)
    opens: IntArray,
    closes: IntArray,
    costs: Costs,
    terms: FloatArray,
    actions: IntArray,
    row: IntArray,
    last: IntArray,
    position: IntArray,
    account: FloatArray,
    rewards: FloatArray,
    dones: BoolArray,
    ruined: BoolArray,
) -> None:
    for each in range(len(actions)):
        row[each] += 1
        wanted = SIDES[actions[each]]
        if wanted != position[each]:
            _trade(account[each], opens[row[each]], position[each], wanted, costs)
            position[each] = wanted
        fallen = log(account[each, HIGHEST] / account[each, EQUITY])
        gain, ruined[each] = _marked(account[each], closes[row[each]])
        account[each, HIGHEST] = max(account[each, HIGHEST], account[each, EQUITY])
        deeper = max(log(account[each, HIGHEST] / account[each, EQUITY]) - fallen, 0.0)
        rewards[each] = terms[0] * (gain - terms[1] * gain * gain - terms[2] * deeper)
        dones[each] = ruined[each] or row[each] >= last[each]


@njit(cache=True)
def _observe(features: Float32Array, row: IntArray, position: IntArray, seen: Float32Array) -> None:
    width = features.shape[1]
    for each in range(len(row)):
        for place in range(width):
            seen[each, place] = features[row[each], place]
        seen[each, width] = position[each]


@njit(cache=True)
def _walk(opens: IntArray, closes: IntArray, costs: Costs, table: IntArray) -> tuple[FloatArray, IntArray]:
    returns, positions = np.zeros(len(opens) - 1), np.zeros(len(opens) - 1, dtype=np.int64)
    account = np.array([1.0, 0.0, 1.0, 1.0])
    held, action = 0, 0
    for row in range(1, len(opens)):
        action = table[row - 1, action]
        wanted = SIDES[action]
        if wanted != held:
            _trade(account, opens[row], held, wanted, costs)
            held = wanted
        positions[row - 1] = held
        if row == len(opens) - 1 and held != 0:
            _trade(account, closes[row], held, 0, costs)
        returns[row - 1], ruined = _marked(account, closes[row])
        if ruined:
            break
    return returns, positions


@njit(cache=True)
def _foreseen(opens: IntArray, closes: IntArray, cost: float, actions: int) -> IntArray:
    """Backwards: worth[p] is the best log growth from a bar on with position p held; two trades change a side."""
    rows = len(opens)
    best = np.zeros((rows, 3), dtype=np.int64)
    worth = np.zeros(3)
    for held in range(3):
        worth[held] = -cost * abs(SIDES[held])
    for row in range(rows - 2, -1, -1):
        before = worth.copy()
        overnight = opens[row + 1] / closes[row] - 1
        inside = closes[row + 1] / opens[row + 1] - 1
        for held in range(3):
            worth[held] = -np.inf
            carried = log(max(1 + SIDES[held] * overnight, RUIN))
            for action in range(actions):
                gained = log(max(1 + SIDES[action] * inside, RUIN))
                value = carried + gained - cost * abs(SIDES[action] - SIDES[held]) + before[action]
                if value > worth[held]:
                    worth[held], best[row, held] = value, action
    return best
