"""The exchange's time: candles close by its clock, not by ours."""

from datetime import UTC, datetime

from signals.market.services.failover import ask


def exchange_time(*, exchange_code: str) -> datetime:
    """Now, by the exchange (or by its first stand-in that answers). Raises ProviderError when none does."""
    milliseconds, _ = ask(exchange_code=exchange_code, call=lambda provider: provider.server_time())
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
