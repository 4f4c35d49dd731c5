"""Pages of the report: what they say is what their parts found."""

from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from autopilot.trainers.selector import fit_samples
from research.engine.policies import Market
from research.services.policy_markets import featurise
from research.services.policy_report import ablation_page, gates_page, optima_page
from signals.engine.candle import OHLCV
from signals.engine.costs import SPOT_COSTS
from signals.engine.policy import Policy
from signals.engine.policy_features import NAMES
from tests.signals.engine.conftest import random_walk


def always(action: int) -> Policy:
    bias = np.zeros(3, np.float32)
    bias[action] = 1
    return Policy("ppo", "tanh", (np.zeros((len(NAMES) + 1, 3), np.float32),), (bias,))


def market(bars: OHLCV) -> Market:
    return Market("walk", *featurise(bars), SPOT_COSTS)


def quiet(done: int, total: int, message: str) -> None:
    pass


def test_ablation_shows_rules_and_what_the_policy_alone_would_have_made() -> None:
    walked = market(random_walk(24 * 160, seed=3, end=1_743_465_600_000))  # to April 2025
    page = ablation_page(
        [walked],
        years=[2025],
        train=lambda *_, **__: always(0),
        fit=fit_samples,
        timesteps=1,
        progress=quiet,
    )
    table, _, why = page.partition("\n\n")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[1] for row in rows] == [
        "rules",
        "+ ML (weight 0.00)",
        "+ RL (weight 0.00)",
        "+ sentiment (no history is stored: neutral)",
        "rules + ML, were it heard in full",
        "RL alone",
    ]
    assert rows[0][2:] == rows[1][2:] == rows[2][2:]
    assert rows[5][2:] == ["+0.0%", "–", "0.0%", "0"]
    assert "- 2025: " in why
    assert "not promoted" in why


def test_gates_page_tells_failures_too() -> None:
    gates: list[dict[str, Any]] = [
        {"name": "oracle", "passed": True, "share": 0.9},
        {"name": "martingale", "passed": False, "profit": 0.2, "score": 3.0, "markets": 8},
        {
            "name": "out of sample",
            "passed": False,
            "seeds_better": 0,
            "seeds": [{"profit": -0.1}],
            "hold": 0.05,
            "verdict": "No gain.",
        },
    ]
    page = gates_page(
        [market(random_walk(24 * 100, seed=1))],
        study=lambda *_, **__: {"gates": gates},
        timesteps=10,
        seeds=1,
        progress=quiet,
    )
    assert "| ppo | oracle | passed | 90.0% of what was possible |" in page
    assert "| dqn | martingale | failed | profit +20.0%, +3.00 deviations from zero, 8 markets |" in page
    assert "0 of 1 seeds (-10.0%); holding +5.0%. No gain." in page


def test_optima_page_and_command_say_what_is_missing() -> None:
    row = {"market": "AR(1)", "algorithm": "ppo", "seed": 0, "earned": 0.98, "best": 1.0, "error": 0.01}
    page = optima_page({"timesteps": 100, "rows": [row | {"trades": 0.5, "best_trades": 0.4}]})
    assert "| AR(1) | ppo | 0 | 98.0% | 3.0e-02 a bar | 40.0% | 50.0% |" in page
    with pytest.raises(CommandError, match="--data"):
        call_command("report_policies", "gates")
