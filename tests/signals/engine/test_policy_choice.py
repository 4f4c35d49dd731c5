"""Who speaks, how long they go on speaking, and when a training is out of date."""

import numpy as np
import pytest

from signals.engine.policy_choice import Record, choose, drift

GOOD, BETTER = Record(1.0, 0.52, 720), Record(2.0, 0.53, 720)


@pytest.mark.parametrize(
    ("current", "ppo", "dqn", "chosen"),
    [
        ("", GOOD, BETTER, "dqn"),
        ("ppo", GOOD, BETTER, "dqn"),
        ("ppo", GOOD, Record(1.4, 0.53, 720), "ppo"),  # within the margin
        ("ppo", GOOD, Record(2.0, 0.51, 720), "ppo"),  # wins less often
        ("ppo", Record(-0.1, 0.52, 720), Record(0.1, 0.5, 720), "dqn"),
        ("ppo", Record(1.0, 0.49, 720), Record(None, None, 720), ""),
        ("dqn", GOOD, Record(3.0, 0.6, 24), "ppo"),  # too short a record
    ],
)
def test_choice(current: str, ppo: Record, dqn: Record, chosen: str) -> None:
    assert choose(current, {"ppo": ppo, "dqn": dqn}) == chosen


@pytest.mark.parametrize(
    ("live", "moved", "said"),
    [
        (Record(1.5, 0.52, 720), 0, ""),
        (Record(0.5, 0.52, 720), 0, "Sharpe ratio fell from 2.00 to 0.50"),
        (Record(1.5, 0.45, 720), 0, "win rate fell from 53.0% to 45.0%"),
        (Record(1.5, 0.52, 720), 4, "40% of the features have moved"),
        (Record(-9.0, 0.1, 24), 10, ""),
    ],
)
def test_drift(live: Record, moved: int, said: str) -> None:
    recent = np.zeros((50, 10))
    recent[:, :moved] = 1.5
    found = drift(
        trained=BETTER, live=live, feature_mean=np.zeros(10), feature_deviation=np.ones(10), recent=recent
    )
    assert said in found
    assert bool(found) == bool(said)
