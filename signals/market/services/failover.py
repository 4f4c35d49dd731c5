"""One question, several providers: the exchange itself first, then its stand-ins in the configured order."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from django.conf import settings

from signals.market.providers import MarketDataProvider, ProviderError, provider_for

logger = structlog.get_logger(__name__)
Answer = TypeVar("Answer")


def ask(*, exchange_code: str, call: Callable[[MarketDataProvider], Answer]) -> tuple[Answer, str]:
    """The first answer, and the name of the provider that gave it.

    Raises the exchange's own ProviderError when it is permanent (a stand-in would answer another question)
    or when nobody answers.
    """
    first_error: ProviderError | None = None
    for code in failover_chain(exchange_code):
        try:
            return call(provider_for(code)), code
        except ProviderError as error:
            if code == exchange_code and error.permanent:
                raise
            logger.warning("market data provider failed", provider=code, error=str(error))
            first_error = first_error or error
    assert first_error  # noqa: S101  (the chain is never empty)
    raise first_error


def failover_chain(exchange_code: str) -> list[str]:
    return [exchange_code, *(code for code in settings.MARKET_PROVIDERS if code != exchange_code)]
