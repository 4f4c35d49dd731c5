"""What the image compiles is what live and a backtest use."""

import pytest

from copilot_project.warming import warm


@pytest.mark.slow
def test_warming_walks_through_decisions_fills_and_trades() -> None:
    assert warm(bars=1_500) > 10
