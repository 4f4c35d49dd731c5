"""What an exchange demands of an order, asked once a day, through real ccxt."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from signals.market import tasks
from signals.market.models import Instrument
from signals.market.providers import MarketRules, ProviderError
from signals.market.services.rules import refresh_rules
from tests.factories import make_instrument

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def filters(exchange: httpx.Client, symbol: str) -> dict[str, dict[str, str]]:
    told = exchange.get("/binance/api/v3/exchangeInfo", params={"symbol": symbol}).json()
    return {rule["filterType"]: rule for rule in told["symbols"][0]["filters"]}


def test_rules_are_the_exchanges_and_asked_once_a_day(exchange: httpx.Client, bitcoin: Instrument) -> None:
    gone = make_instrument(exchange=bitcoin.exchange, symbol="GONE/USDT", tick_size=Decimal(1))
    idle = make_instrument(exchange=bitcoin.exchange, symbol="ETH/USDT", is_active=False)

    assert refresh_rules(exchange=bitcoin.exchange, now=NOW) == 2
    assert refresh_rules(exchange=bitcoin.exchange, now=NOW + DAY - timedelta(seconds=1)) == 0
    assert refresh_rules(exchange=bitcoin.exchange, now=NOW + DAY) == 2

    rules = filters(exchange, "BTCUSDT")
    bitcoin.refresh_from_db()
    assert bitcoin.tick_size == Decimal(rules["PRICE_FILTER"]["tickSize"])
    assert bitcoin.lot_step == Decimal(rules["LOT_SIZE"]["stepSize"])
    assert bitcoin.minimum_amount == Decimal(rules["LOT_SIZE"]["minQty"])
    assert bitcoin.minimum_notional == Decimal(rules["NOTIONAL"]["minNotional"])
    assert bitcoin.rules_known_at == NOW + DAY
    gone.refresh_from_db()
    assert (gone.tick_size, gone.lot_step, gone.minimum_amount, gone.minimum_notional) == (None,) * 4
    idle.refresh_from_db()
    assert idle.rules_known_at is None


@pytest.mark.slow
def test_an_exchange_that_does_not_answer_leaves_the_rules_as_they_were(
    exchange: httpx.Client, bitcoin: Instrument
) -> None:
    refresh_rules(exchange=bitcoin.exchange, now=NOW)
    exchange.post(
        "/_sandbox/faults", json={"target": "exchange", "kind": "500", "count": 20}
    ).raise_for_status()

    with pytest.raises(ProviderError):
        refresh_rules(exchange=bitcoin.exchange, now=NOW + DAY)
    Instrument.objects.update(rules_known_at=NOW)
    tasks.refresh_rules()  # tells it in the log and goes on to the next exchange

    bitcoin.refresh_from_db()
    assert bitcoin.rules_known_at == NOW
    assert bitcoin.tick_size is not None


class Told:
    """An exchange with one swap and one spot market."""

    def market_rules(self) -> dict[str, MarketRules]:
        return {"BTC/USDT:USDT": MarketRules(is_perpetual=True), "BTC/USDT": MarketRules()}


def test_a_swap_becomes_perpetual_and_the_admins_margin_stays(
    bitcoin: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = make_instrument(exchange=bitcoin.exchange, symbol="BTC/USDT:USDT")
    Instrument.objects.filter(pk=bitcoin.pk).update(market_type="margin")
    monkeypatch.setattr("signals.market.services.rules.provider_for", lambda code: Told())

    refresh_rules(exchange=bitcoin.exchange, now=NOW)

    swap.refresh_from_db()
    bitcoin.refresh_from_db()
    assert (swap.market_type, bitcoin.market_type) == ("perpetual", "margin")
