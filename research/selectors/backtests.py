"""A stored backtest as tables for its page and its files."""

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from research.models import Backtest
from research.selectors.table_export import Columns, instants
from signals.engine.candle import OHLCV
from signals.engine.moment import instant
from signals.engine.timeframe import Timeframe
from signals.market.selectors import load_range

Arrays = dict[str, npt.NDArray[Any]]
CANDLES_SHOWN = 1500


@dataclass(frozen=True)
class TradeRow:
    instrument: str
    is_long: bool
    quantity: float
    entered_at: datetime
    exited_at: datetime | None
    entry_price: float
    exit_price: float
    net_profit: float
    r_multiple: float
    exit: str
    is_ambiguous: bool


def arrays_of(backtest: Backtest) -> Arrays:
    with np.load(io.BytesIO(bytes(backtest.arrays or b"")), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def trade_count(backtest: Backtest) -> int:
    return len(arrays_of(backtest)["trades"])


def trade_rows(backtest: Backtest) -> list[TradeRow]:
    """The newest entry first."""
    from autopilot.engine.simulation import EXIT_NAMES  # noqa: PLC0415  (compiled code)

    names = backtest.report["instruments"]  # type: ignore[index]
    trades = arrays_of(backtest)["trades"]
    return [
        TradeRow(
            instrument=names[int(trade["instrument"])],
            is_long=bool(trade["side"] > 0),
            quantity=float(trade["quantity"]),
            entered_at=instant(int(trade["entered_at"])),
            exited_at=instant(int(trade["exited_at"])) if trade["exited_at"] >= 0 else None,
            entry_price=float(trade["entry_price"]),
            exit_price=float(trade["exit_price"]),
            net_profit=float(trade["net_profit"]),
            r_multiple=float(trade["r_multiple"]),
            exit=EXIT_NAMES[int(trade["exit_reason"])],
            is_ambiguous=bool(trade["ambiguous"]),
        )
        for trade in trades[np.argsort(-trades["entered_at"], kind="stable")]
    ]


def trade_columns(backtest: Backtest) -> Columns:
    from autopilot.engine.simulation import EXIT_NAMES  # noqa: PLC0415

    trades = arrays_of(backtest)["trades"]
    report: dict[str, Any] = backtest.report or {}
    names = np.array(report["instruments"], dtype=object)
    exits = np.array([EXIT_NAMES[int(code)] for code in trades["exit_reason"]], dtype=object)
    plain = ("quantity", "entry_price", "exit_price", "fees", "funding", "net_profit", "r_multiple")
    return {
        "instrument": names[trades["instrument"]],
        "side": trades["side"],
        "entered_at": instants(trades["entered_at"]),
        "exited_at": instants(trades["exited_at"]),
        **{name: trades[name] for name in plain},
        "exit_reason": exits,
        "ambiguous": trades["ambiguous"],
    }


def equity_columns(backtest: Backtest) -> Columns:
    arrays = arrays_of(backtest)
    return {
        "bar_opened_at": instants(arrays["times"]),
        "equity": arrays["equity"],
        "equity_optimistic": arrays["optimistic"],
        "one_over_n_held": arrays["held"],
    }


def candles_of(backtest: Backtest, number: int) -> tuple[OHLCV, int]:
    """The newest candles that it traded of one of its instruments, and when (UTC ms) the first of them opened."""
    asked = backtest.parameters
    timeframe, end = Timeframe(asked["timeframe"]), datetime.fromisoformat(asked["end"])
    start = max(
        datetime.fromisoformat(asked["start"]), end - timedelta(seconds=timeframe.seconds * CANDLES_SHOWN)
    )
    by_name = {}
    for each in backtest.trial.study.instruments.select_related("exchange"):  # type: ignore[misc,union-attr]
        by_name[f"{each.exchange.code}:{each.symbol}"] = each.pk
    pk = by_name[backtest.report["instruments"][number]]  # type: ignore[index]
    candles = load_range(instrument_id=pk, timeframe=timeframe, start=start, end=end)
    return candles, int(candles.open_time[0]) if len(candles) else 0


def asked_words(backtest: Backtest) -> list[tuple[str, str]]:
    asked = backtest.parameters
    changed = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in asked["parameters"].items())
    return [
        ("Decided by", "the fused decision" if asked["strategy"] == "fused" else asked["strategy"].replace("_", " ")),
        ("Parameters", changed or "as they stand"),
        ("Candles", f"{asked['timeframe']}, {asked['start'][:10]} to {asked['end'][:10]}"),
        ("Account", f"{asked['cash']}, {asked['sizing']} {asked['size']}"),
        ("Costs", f"maker {asked['maker_bps']}, taker {asked['taker_bps']}, slippage {asked['slippage_bps']} bps"),
    ]  # fmt: skip


def side_by_side(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Measures of the account under both paths inside a bar, and of 1/N held."""
    rows = []
    for own, best, plain in zip(report["measures"], report["optimistic"], report["benchmark"], strict=False):
        rows.append({"name": own["name"], "own": own, "best": best, "held": plain})
    return rows
