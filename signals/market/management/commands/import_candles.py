"""`manage.py import_candles FILE|FOLDER`: candles from CSV and Parquet files."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from signals.engine.timeframe import Timeframe
from signals.market.management.plain_command import PlainCommand
from signals.market.providers.candle_file import (
    FORMATS,
    DateOrder,
    Decimal,
    FileRefusedError,
    candle_files,
)
from signals.market.services.importing import ImportOptions, ImportReport, import_candles

SHOWN_REFUSALS = 20


class Command(PlainCommand):
    help = (
        "Import candles from a CSV (.csv, .csv.gz) or Parquet file, or from all of a folder. Each file is stored "
        "whole or not at all; bars that cannot be true are refused with their line, and the exit status is then 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="FILE|FOLDER")
        parser.add_argument("--exchange", metavar="CODE", help="where the prices come from, e.g. binance")
        parser.add_argument(
            "--symbol", help="e.g. BTC/USDT; with --exchange a new instrument is made if need be"
        )
        parser.add_argument(
            "--timeframe", type=Timeframe, choices=list(Timeframe), help="wins over what the file looks like"
        )
        parser.add_argument(
            "--format", choices=sorted(FORMATS), help="whose file it is; else it is found out"
        )
        parser.add_argument(
            "--price-scale", type=_scale, metavar="FACTOR", help="e.g. 0.00001 for prices in points"
        )
        parser.add_argument("--timezone", type=_zone, help="of times that name none (default: UTC)")
        parser.add_argument(
            "--decimal", type=Decimal, choices=list(Decimal), help="what stands before decimals"
        )
        parser.add_argument(
            "--date-order", type=DateOrder, choices=list(DateOrder), help="of dates such as 02/03/2024"
        )
        parser.add_argument(
            "--times", choices=["open", "close"], default="open", help="what the file's times are of"
        )
        parser.add_argument(
            "--force", action="store_true", help="even if many of the stored candles would change"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked = ImportOptions(
            exchange_code=options["exchange"],
            symbol=options["symbol"],
            timeframe=options["timeframe"],
            price_scale=options["price_scale"],
            timezone=options["timezone"],
            format=options["format"],
            decimal=options["decimal"],
            date_order=options["date_order"],
            closes=options["times"] == "close",
            force=options["force"],
        )
        try:
            files = candle_files(options["path"])
        except FileRefusedError as error:
            raise CommandError(str(error)) from error
        flawless = [self._import(file, asked) for file in files]
        if not all(flawless):
            raise CommandError(f"{flawless.count(False)} of {len(files)} files refused, wholly or in part.")

    def _import(self, path: Path, asked: ImportOptions) -> bool:
        """Whether every row of the file was accepted."""
        try:
            report = import_candles(path=path, options=asked, as_of=timezone.now())
        except FileRefusedError as error:
            self.stderr.write(f"refused {error}")
            return False
        self.stdout.write(_summary(path, report))
        for refusal in report.refusals[:SHOWN_REFUSALS]:
            self.stderr.write(f"refused {refusal}")
        if (hidden := len(report.refusals) - SHOWN_REFUSALS) > 0:
            self.stderr.write(
                f"refused {path}: {hidden} more; bars with a time are in the admin under data quality issues"
            )
        return not report.refusals


def _summary(path: Path, report: ImportReport) -> str:
    counts = [
        f"{len(report.stored.inserted)} new",
        f"{len(report.stored.corrected)} corrected",
        f"{report.unchanged} unchanged",
        f"{len(report.refusals)} refused",
        *(f"{count} flagged {kind.replace('_', ' ')}" for kind, count in sorted(report.flagged.items())),
        *report.notes,
    ]
    place = f"{report.instrument.exchange.code} {report.instrument.symbol} {report.timeframe}"
    return f"{path.name} -> {place}: {', '.join(counts)}"


def _scale(text: str) -> float:
    factor = float(text)
    if not 0 < factor < float("inf"):
        raise ArgumentTypeError("must be above zero, e.g. 0.00001")
    return factor


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ArgumentTypeError(f"no time zone {text!r}; one is Europe/Athens") from error
