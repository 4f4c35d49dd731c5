"""`manage.py backfill BTC/USDT --timeframe 1h --from 2024-01-01`: history from the exchange, page by page."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.market.providers import ProviderError
from signals.market.services.backfill import backfill
from signals.market.services.clock import exchange_time
from signals.market.services.fetching import StoredPage


class Command(BaseCommand):
    help = "Load the closed candles of a span from the exchange. Can be stopped and run again at any time."

    def add_arguments(self, parser: CommandParser) -> None:
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
        instruments = _instruments(options["symbols"], options["exchange"])
        failures = [instrument for instrument in instruments if not self._backfill(instrument, options)]
        if failures:
            raise CommandError(
                f"{len(failures)} of {len(instruments)} not complete; run it again to continue."
            )

    def _backfill(self, instrument: Instrument, options: dict[str, Any]) -> bool:
        timeframe, start = options["timeframe"], options["start"]
        bar = timedelta(seconds=timeframe.seconds)

        def show(page: StoredPage) -> None:
            reached = page.newest_open_time or start
            share = (reached + bar - start) / (end - start)
            self.stdout.write(
                f"{instrument.symbol} {timeframe} {min(share, 1):4.0%} up to {reached:%Y-%m-%d %H:%M}: "
                f"{len(page.stored.inserted)} new, {len(page.stored.corrected)} corrected, "
                f"{page.refused} refused, from {page.source}"
            )

        try:
            as_of = exchange_time(exchange_code=instrument.exchange.code)
            end = min(options["end"] or as_of, as_of)
            changed = backfill(
                instrument=instrument, timeframe=timeframe, start=start, end=end, as_of=as_of, on_page=show
            )
        except ProviderError as error:
            self.stderr.write(f"{instrument.symbol} {timeframe}: {error}")
            return False
        self.stdout.write(f"{instrument.symbol} {timeframe}: {changed} candles new or corrected")
        return True


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


def parse_instant(text: str) -> datetime:
    """A date or an ISO instant; without a zone it is UTC. ArgumentTypeError on anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no ISO date or time such as 2024-01-01") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
