"""A backtest in figures: per instrument, in all, why trades ended, and beside doing nothing clever."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from autopilot.engine.simulation import EXIT_NAMES, REFUSAL_NAMES, Simulation, Table
from autopilot.services.backtest import Backtest
from signals.engine.candle import FloatArray
from signals.engine.performance import (
    cagr,
    expectancy,
    max_drawdown,
    periods_per_year,
    profit_factor,
    sharpe_ratio,
    volatility,
    win_rate,
)
from signals.engine.session import AssetClass

Figures = dict[str, float | int | None]


def summary(backtest: Backtest) -> dict[str, Any]:
    """Plain numbers, ready for JSON: None where a figure is not defined. Ratios are shares, not percent."""
    found = backtest.simulation
    best = found.optimistic or found
    asset_class = AssetClass(backtest.instruments[0].asset_class)
    a_year = periods_per_year(backtest.timeframe, asset_class)
    return {
        "cash": float(backtest.cash),
        "bars": len(found.times),
        "account": _account(found, a_year),
        "optimistic": _account(best, a_year),
        "instruments": {
            name: _trades(found.trades[found.trades["instrument"] == number])
            for number, name in enumerate(found.instruments)
        },
        "exits": _counted(found.trades["exit_reason"], EXIT_NAMES),
        "refusals": _counted(found.orders["refusal"][found.orders["refusal"] > 0], REFUSAL_NAMES),
        "beside": {
            "1/N": _equity(backtest.one_over_n, a_year),
            **{
                f"buy and hold {name}": _equity(equity, a_year)
                for name, equity in backtest.buy_and_hold.items()
            },
        },
    }


def _account(found: Simulation, a_year: float) -> Figures:
    return {
        **_equity(found.equity, a_year),
        **_trades(found.trades),
        "ambiguous": _number(found.ambiguous_share),
    }


def _equity(equity: FloatArray, a_year: float) -> Figures:
    if len(equity) < 2 or (equity <= 0).any():
        return {"equity": _number(equity[-1]) if len(equity) else None}
    returns = np.diff(equity) / equity[:-1]
    return {
        "equity": _number(equity[-1]),
        "return": _number(equity[-1] / equity[0] - 1),
        "cagr": _number(cagr(returns, a_year)),
        "volatility": _number(volatility(returns, a_year)),
        "sharpe": _number(sharpe_ratio(returns, a_year)),
        "drawdown": _number(max_drawdown(returns)),
    }


def _trades(trades: Table) -> Figures:
    ended = trades[trades["exited_at"] >= 0]
    return {
        "trades": len(ended),
        "open": len(trades) - len(ended),
        "net_profit": _number(trades["net_profit"].sum()),
        "fees": _number(trades["fees"].sum()),
        "win_rate": _number(win_rate(ended["net_profit"])),
        "profit_factor": _number(profit_factor(ended["net_profit"])),
        "mean_r": _number(expectancy(ended["r_multiple"])),
    }


def _counted(codes: Table, names: Mapping[int, str]) -> dict[str, int]:
    return {names[int(code)]: int((codes == code).sum()) for code in np.unique(codes)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
