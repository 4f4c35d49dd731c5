"""`manage.py import_candles FILE|FOLDER`: candles from CSV and Parquet files."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import CommandError

from signals.engine.timeframe import Timeframe
from signals.management.job_command import JobCommand
from signals.market.providers.candle_file import FORMATS, DateOrder, Decimal, FileRefusedError
from signals.market.services.import_folder import ImportFlawedError
from signals.tasks import import_candle_files


class Command(JobCommand):
    help = (
        "Import candles from a CSV (.csv, .csv.gz) or Parquet file, or from all of a folder. Each file is stored "
        "whole or not at all; bars that cannot be true are refused with their line, and the exit status is then 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
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
        path: Path = options["path"]
        if not path.exists():
            raise CommandError(f"{path}: no such file, and no such folder.")
        asked = {
            "exchange_code": options["exchange"],
            "symbol": options["symbol"],
            "timeframe": options["timeframe"],
            "price_scale": options["price_scale"],
            "timezone": options["timezone"].key if options["timezone"] else None,
            "format": options["format"],
            "decimal": options["decimal"],
            "date_order": options["date_order"],
            "closes": options["times"] == "close",
            "force": options["force"],
        }
        parameters = {"path": str(path.absolute() if options["background"] else path), "options": asked}
        try:
            self.carry_out(task=import_candle_files, parameters=parameters, background=options["background"])
        except (FileRefusedError, ImportFlawedError) as error:
            raise CommandError(str(error)) from error


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
