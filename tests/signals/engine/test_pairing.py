"""The choice of a partner, beside pandas' own pairwise correlations."""

import numpy as np
import pandas as pd
import pytest

from signals.engine.pairing import best_partners, return_correlations


def markets(bars: int = 900, seed: int = 1) -> np.ndarray:
    """Five markets: 0 and 1 move together, 2 loosely with them, 3 against them, 4 alone."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(0, 0.01, bars), rng.normal(0, 0.01, (bars, 5))
    shares = np.array([0.9, 0.9, 0.75, -0.9, 0.0])
    moves = common[:, None] * shares + own * np.sqrt(1 - shares**2)
    return 100 * np.exp(np.cumsum(moves, axis=0))


def with_gaps(closes: np.ndarray) -> np.ndarray:
    holed = closes.copy()
    holed[100:180, 0], holed[150:260, 1], holed[::37, 2] = np.nan, np.nan, np.nan
    return holed


@pytest.mark.parametrize("closes", [markets(), with_gaps(markets())], ids=["whole", "gaps"])
def test_correlations_are_those_of_pandas_over_the_returns_that_both_have(closes: np.ndarray) -> None:
    returns = np.log(pd.DataFrame(closes)).diff()
    np.testing.assert_allclose(return_correlations(closes), returns.corr(min_periods=500), atol=1e-10)


def test_the_partner_is_the_one_it_moves_with_most_and_not_against() -> None:
    partners, strengths = best_partners(markets())
    assert partners.tolist() == [1, 0, partners[2], -1, -1]
    assert partners[2] in (0, 1)
    assert strengths[0] == strengths[1] == pytest.approx(0.81, abs=0.05)
    assert np.isnan(strengths[3:]).all()


def test_too_few_returns_in_common_or_a_market_that_stands_still_have_no_partner() -> None:
    closes = markets(bars=520)
    assert best_partners(closes[:501])[0][:2].tolist() == [1, 0]
    assert best_partners(closes[:500])[0].tolist() == [-1] * 5
    closes[:, 1] = 7.0
    assert np.isnan(return_correlations(closes)[1]).all()


def test_a_lone_market_has_no_partner() -> None:
    assert best_partners(markets()[:, :1])[0].tolist() == [-1]
