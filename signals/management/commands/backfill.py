"""`manage.py backfill BTC/USDT --timeframe 1h --from 2024-01-01`: history from the exchange, page by page."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from signals.engine.timeframe import Timeframe
from signals.management.job_command import JobCommand, parse_instant
from signals.market.models import Instrument
from signals.market.services.backfill_all import BackfillIncompleteError
from signals.tasks import backfill_candles


class Command(JobCommand):
    help = "Load the closed candles of a span from the exchange. Can be stopped and run again at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="e.g. BTC/USDT")
        parser.add_argument("--all", action="store_true", help="every active instrument")
        parser.add_argument("--exchange", metavar="CODE", help="needed where two exchanges have the symbol")
        parser.add_argument("--timeframe", type=Timeframe, choices=list(Timeframe), required=True)
        parser.add_argument(
            "--from", dest="start", type=parse_instant, required=True, help="UTC, e.g. 2024-01-01"
        )
        parser.add_argument("--to", dest="end", type=parse_instant, help="UTC, exclusive; default: now")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["symbols"]) == options["all"]:
            raise CommandError("Name one or more symbols, e.g. BTC/USDT, or give --all.")
        if options["end"] and options["end"] <= options["start"]:
            raise CommandError(
                f"--to {options['end']:%Y-%m-%d %H:%M} is not after --from {options['start']:%Y-%m-%d %H:%M}."
            )
        instruments = _instruments(options["symbols"], options["exchange"])
        parameters = {
            "instruments": [instrument.pk for instrument in instruments],
            "symbols": [instrument.symbol for instrument in instruments],
            "timeframe": options["timeframe"].value,
            "start": options["start"].isoformat(),
            "end": options["end"].isoformat() if options["end"] else None,
        }
        try:
            self.carry_out(task=backfill_candles, parameters=parameters, background=options["background"])
        except BackfillIncompleteError as error:
            raise CommandError(str(error)) from error


def _instruments(symbols: list[str], exchange_code: str | None) -> list[Instrument]:
    known = Instrument.objects.select_related("exchange")
    if exchange_code:
        known = known.filter(exchange__code=exchange_code)
    if not symbols:
        return list(known.active())
    found = list(known.filter(symbol__in=[symbol.upper() for symbol in symbols]))
    for symbol in symbols:
        exchanges = [i.exchange.code for i in found if i.symbol == symbol.upper()]
        if not exchanges:
            have = ", ".join(known.values_list("symbol", flat=True)[:20]) or "none yet; add them in the admin"
            raise CommandError(f"No instrument {symbol}. There are: {have}.")
        if len(exchanges) > 1:
            raise CommandError(f"{symbol} is on {', '.join(exchanges)}: give --exchange.")
    return found
