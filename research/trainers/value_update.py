"""One step of a value network's optimiser in compiled code: what torch would do in a dozen calls, in one.

The network is stable-baselines3's own of DQN: two hidden layers with relu, one value for each action. All its numbers
stand in one array, layer by layer, each layer's weights (outputs, inputs) before its biases, as torch keeps them.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt
from numba import njit

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

FIRST_MOMENT, SECOND_MOMENT, NEVER_ZERO = 0.9, 0.999, 1e-8  # torch's own of Adam


@njit(cache=True)
def _layer(numbers: Float32Array, start: int, inputs: int, outputs: int) -> tuple[Float32Array, Float32Array]:
    middle = start + inputs * outputs
    return numbers[start:middle].reshape(outputs, inputs), numbers[middle : middle + outputs]


@njit(cache=True)
def _through(seen: Float32Array, weights: Float32Array, biases: Float32Array, least: float) -> Float32Array:
    found = np.dot(seen, weights.T)
    for row in range(found.shape[0]):
        for place in range(found.shape[1]):
            found[row, place] = max(found[row, place] + biases[place], np.float32(least))
    return found


@njit(cache=True)
def forward(
    numbers: Float32Array, seen: Float32Array, hidden: int, actions: int
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """What both hidden layers and the last one say of observations (n, k)."""
    inputs = seen.shape[1]
    second = (inputs + 1) * hidden
    third = second + (hidden + 1) * hidden
    weights, biases = _layer(numbers, 0, inputs, hidden)
    one = _through(seen, weights, biases, 0.0)
    weights, biases = _layer(numbers, second, hidden, hidden)
    two = _through(one, weights, biases, 0.0)
    weights, biases = _layer(numbers, third, hidden, actions)
    return one, two, _through(two, weights, biases, -np.inf)


@njit(cache=True)
def errors(  # noqa: PLR0913, PLR0917  (what a step of the market is made of)
    numbers: Float32Array,
    target: Float32Array,
    hidden: int,
    actions: int,
    chosen: IntArray,
    rewards: Float32Array,
    seen_next: Float32Array,
    goes_on: Float32Array,
    gamma: float,
    values: Float32Array,
) -> Float32Array:
    """values - (reward + gamma x the target's value of what the network itself would do next), of the chosen action."""
    own = forward(numbers, seen_next, hidden, actions)[2]
    theirs = forward(target, seen_next, hidden, actions)[2]
    found = np.empty(len(chosen), dtype=np.float32)
    for row in range(len(chosen)):
        best = 0
        for action in range(1, actions):
            if own[row, action] > own[row, best]:
                best = action
        found[row] = values[row, chosen[row]] - (rewards[row] + gamma * goes_on[row] * theirs[row, best])
    return found


@njit(cache=True)
def gradient(
    numbers: Float32Array,
    seen: Float32Array,
    one: Float32Array,
    two: Float32Array,
    chosen: IntArray,
    slopes: Float32Array,
    actions: int,
) -> Float32Array:
    """Of a mean loss by every number of the network; slopes: of each row's loss by the chosen action's value."""
    rows, inputs, hidden = len(chosen), seen.shape[1], one.shape[1]
    found = np.zeros(len(numbers), dtype=np.float32)
    second = (inputs + 1) * hidden
    third = second + (hidden + 1) * hidden
    last = np.zeros((rows, actions), dtype=np.float32)
    for row in range(rows):
        last[row, chosen[row]] = slopes[row] / rows
    for start, given, width in ((third, two, actions), (second, one, hidden), (0, seen, hidden)):
        by_weight, by_bias = _layer(found, start, given.shape[1], width)
        by_weight[:] = np.dot(last.T, given)
        for row in range(rows):
            for place in range(width):
                by_bias[place] += last[row, place]
        if start > 0:
            last = np.dot(last, _layer(numbers, start, hidden, width)[0])
            for row in range(rows):
                for place in range(hidden):
                    if given[row, place] <= 0:
                        last[row, place] = 0
    return found


@njit(cache=True)
def adam(
    numbers: Float32Array,
    first: Float32Array,
    second: Float32Array,
    slope: Float32Array,
    step: int,
    rate: float,
    longest: float,
) -> None:
    """Torch's Adam after its clip of the gradient's norm at `longest`."""
    length = 0.0
    for each in slope:
        length += each * each
    shrink = min(1.0, longest / (sqrt(length) + 1e-6))
    corrected = rate / (1 - FIRST_MOMENT**step)
    spread = 1 / sqrt(1 - SECOND_MOMENT**step)
    for place in range(len(numbers)):
        value = slope[place] * shrink
        first[place] = FIRST_MOMENT * first[place] + (1 - FIRST_MOMENT) * value
        second[place] = SECOND_MOMENT * second[place] + (1 - SECOND_MOMENT) * value * value
        numbers[place] -= corrected * first[place] / (sqrt(second[place]) * spread + NEVER_ZERO)


@njit(cache=True)
def improve(  # noqa: PLR0913, PLR0917  (a network, its optimiser and what was seen)
    numbers: Float32Array,
    target: Float32Array,
    first: Float32Array,
    second: Float32Array,
    step: int,
    hidden: int,
    actions: int,
    seen: Float32Array,
    chosen: IntArray,
    rewards: Float32Array,
    seen_next: Float32Array,
    goes_on: Float32Array,
    gamma: float,
    rate: float,
    longest: float,
    tau: float,
    level: float,
) -> None:
    """One step down half the mean squared error. The target follows by `tau`.

    The squared error, not stable-baselines3's that grows in a line beyond one: a rare, dear event, as the end of a
    regime is, counts for what it costs, else trades pay before they do.

    level: how much of the mean error is taken out of both networks at once, by their last biases. What a market is
    worth on the whole (the mean reward over 1 - gamma) would else take thousands of steps to be found, and what the
    actions differ by, which is all that is asked, would be learnt on a slope.
    """
    one, two, values = forward(numbers, seen, hidden, actions)
    wrong = errors(numbers, target, hidden, actions, chosen, rewards, seen_next, goes_on, gamma, values)
    slope = gradient(numbers, seen, one, two, chosen, wrong, actions)
    adam(numbers, first, second, slope, step, rate, longest)
    shift = level * wrong.mean() / (1 - gamma * goes_on.mean() + NEVER_ZERO)
    for place in range(len(numbers)):
        target[place] += tau * (numbers[place] - target[place])
    for place in range(len(numbers) - actions, len(numbers)):
        numbers[place] -= shift
        target[place] -= shift
