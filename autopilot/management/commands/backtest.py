"""`manage.py backtest`: what a strategy, the trend rule or the fused decision would have earned on stored candles."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandError

from signals.engine.timeframe import Timeframe
from signals.management.job_command import parse_instant
from signals.management.plain_command import PlainCommand
from signals.market.models import Instrument

COLUMNS = {
    "equity": "{:,.2f}",
    "return": "{:+.1%}",
    "cagr": "{:+.1%}",
    "sharpe": "{:.2f}",
    "drawdown": "{:.1%}",
    "trades": "{:d}",
    "open": "{:d}",
    "net_profit": "{:+,.2f}",
    "win_rate": "{:.0%}",
    "profit_factor": "{:.2f}",
    "mean_r": "{:+.2f}",
}
ACCOUNT = ("equity", "return", "cagr", "sharpe", "drawdown", "trades", "win_rate", "profit_factor", "mean_r")
TRADES = ("trades", "open", "net_profit", "win_rate", "profit_factor", "mean_r")
BESIDE = ("equity", "return", "cagr", "sharpe", "drawdown")


class Command(PlainCommand):
    help = (
        "Simulate a strategy, the trend rule (trend_rule, on 4h candles, with its managed exits) or the fused decision "
        "(hybrid) on stored candles with one account. Costs are each "
        "instrument's own unless --costs says otherwise. Nothing is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--strategy", required=True, metavar="NAME", help="a strategy's name, trend_rule or hybrid"
        )
        parser.add_argument("--instruments", nargs="+", required=True, metavar="SYMBOL")
        parser.add_argument("--timeframe", default="1h", choices=[each.value for each in Timeframe])
        parser.add_argument("--from", dest="start", type=parse_instant, required=True, metavar="DATE")
        parser.add_argument(
            "--to", dest="end", type=parse_instant, required=True, metavar="DATE", help="exclusive"
        )
        parser.add_argument("--cash", type=decimal, default=Decimal(10_000), help="in the quote currency")
        parser.add_argument(
            "--costs",
            nargs=3,
            type=decimal,
            metavar=("MAKER", "TAKER", "SLIPPAGE"),
            help="basis points, for all instruments",
        )
        parser.add_argument("--json", action="store_true", help="all figures, unrounded")

    def handle(
        self,
        *args: Any,
        strategy: str,
        instruments: list[str],
        timeframe: str,
        start: datetime,
        end: datetime,
        cash: Decimal,
        costs: list[Decimal] | None,
        json: bool,
        **options: Any,
    ) -> None:
        from autopilot.services.backtest import run_backtest  # noqa: PLC0415  (compiled code: --help needs none)
        from autopilot.services.backtest_summary import summary  # noqa: PLC0415
        from signals.engine.cost_rates import CostRates  # noqa: PLC0415

        try:
            found = run_backtest(
                strategy=strategy,
                instruments=chosen(instruments),
                timeframe=Timeframe(timeframe),
                start=start,
                end=end,
                cash=cash,
                costs=CostRates(*costs) if costs else None,
                progress=self.tell,
            )
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        figures = summary(found)
        self.stdout.write(as_json(figures) if json else as_text(figures))

    def tell(self, done: int, total: int, message: str) -> None:
        self.stderr.write(f"{done}/{total} {message}")


def decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ArgumentTypeError(f"{text!r} is no number") from error


def chosen(symbols: list[str]) -> list[Instrument]:
    """In the order in which they were asked for, one exchange each."""
    rows = Instrument.objects.select_related("exchange").filter(symbol__in=symbols).order_by("exchange__code")
    found = {row.symbol: row for row in reversed(rows)}
    unknown = [symbol for symbol in symbols if symbol not in found]
    if unknown:
        raise CommandError(f"Unknown instruments: {', '.join(unknown)}. The console lists those that exist.")
    return [found[symbol] for symbol in dict.fromkeys(symbols)]


def as_json(figures: dict[str, Any]) -> str:
    return json.dumps(figures, indent=2, sort_keys=True, allow_nan=False)


def as_text(figures: dict[str, Any]) -> str:
    accounts = {"worst path": figures["account"], "best path": figures["optimistic"]}
    told = [
        *table("account", accounts, ACCOUNT),
        "",
        *table("instrument", figures["instruments"], TRADES),
        "",
        *table("beside", figures["beside"], BESIDE),
        "",
        "Ended by: "
        + (", ".join(f"{name} {count}" for name, count in figures["exits"].items()) or "nothing"),
    ]
    if figures["refusals"]:
        told.append("Refused: " + ", ".join(f"{name} {count}" for name, count in figures["refusals"].items()))
    if (ambiguous := figures["account"]["ambiguous"]) is not None:
        told.append(f"Left open by their candles: {ambiguous:.1%} of trades")
    return "\n".join(told)


def table(title: str, rows: dict[str, Any], columns: tuple[str, ...]) -> list[str]:
    cells = [[title, *(column.replace("_", " ") for column in columns)]]
    for name, figures in rows.items():
        shown = (figures.get(column) for column in columns)
        cells.append(
            [
                name,
                *(
                    "–" if each is None else COLUMNS[c].format(each)
                    for c, each in zip(columns, shown, strict=True)
                ),
            ]
        )
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns) + 1)]
    return [
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
