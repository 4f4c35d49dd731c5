"""The exchange's own book. What it has accepted is on disk before anybody is answered, and it is read back at start."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from copilot_project.sandbox.exchange.venue import split_symbol
from copilot_project.sandbox.journal import Journal
from copilot_project.sandbox.trading.lies import Lies
from copilot_project.sandbox.trading.orders import (
    CANCELED,
    FILLED,
    PARTIAL,
    BookError,
    VenueOrder,
    VenueTrade,
    read,
    told,
)

FEE = Decimal("0.001")
LEAST_NOTIONAL = Decimal(5)
ATOM = Decimal("0.00000001")


@dataclass
class TradingAccount:
    """Who may trade: the secret signs, `balances` hold what is owned in all, locked or free."""

    key: str
    secret: str
    can_withdraw: bool = False
    ip_restricted: bool = True
    balances: dict[str, Decimal] = field(default_factory=dict)
    cancel_after_ms: int = 0
    fee_in_quote: bool = False


@dataclass
class Book:
    """Orders match against one price per symbol, whatever their size."""

    journal: Journal
    price_of: Callable[[str], Decimal]
    tick_of: Callable[[str], Decimal]
    now_ms: Callable[[], int]
    symbols: tuple[str, ...]
    lies: Lies = field(default_factory=Lies)
    accounts: dict[str, TradingAccount] = field(default_factory=dict)
    orders: dict[int, VenueOrder] = field(default_factory=dict)
    trades: list[VenueTrade] = field(default_factory=list)
    prices: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for record in self.journal.records:
            self._replay(record)

    async def open_account(self, account: TradingAccount) -> None:
        self.accounts[account.key] = account
        balances = {asset: str(amount) for asset, amount in account.balances.items()}
        told_account = vars(account) | {"balances": balances}
        await self.journal.append({"event": "account", "account": told_account})

    def told_ms(self) -> int:
        """The exchange's clock as it tells it."""
        return self.now_ms() + self.lies.skew_ms

    def price(self, symbol: str) -> Decimal:
        return self.prices.get(symbol) or self.price_of(symbol)

    def lot(self, symbol: str) -> Decimal:
        return Decimal("0.00001") if self.tick_of(symbol) >= Decimal("0.01") else Decimal("0.01")

    def locked(self, key: str) -> dict[str, Decimal]:
        """What open orders have set aside, per asset."""
        held: dict[str, Decimal] = {}
        for order in self.of(key):
            if order.is_open:
                asset, amount = self._needs(order)
                held[asset] = held.get(asset, Decimal(0)) + amount
        return held

    def of(self, key: str) -> Iterator[VenueOrder]:
        return (order for order in self.orders.values() if order.account == key)

    async def place(
        self,
        *,
        key: str,
        client_id: str,
        symbol: str,
        side: str,
        kind: str,
        quantity: Decimal,
        price: Decimal = Decimal(0),
        stop: Decimal = Decimal(0),
    ) -> VenueOrder:
        """Accept and match. BookError where it is refused; a client's id is unique among open orders only."""
        now = self.now_ms()
        number = len(self.orders) + 1
        order = VenueOrder(
            id=number,
            account=key,
            client_id=client_id or f"x{number:031d}",
            symbol=symbol,
            side=side,
            type=kind,
            quantity=quantity,
            price=price,
            stop=stop,
            created_ms=now,
            updated_ms=now,
            visible_ms=now,
        )
        self._check(order)
        hidden, rests = self.lies.hidden_ms(), self.lies.partial_ms() if kind == "LIMIT" else 0
        order.visible_ms, order.rest_ms = now + hidden, now + rests if rests else 0
        self.orders[order.id] = order
        self.journal.note({"event": "order", "order": told(order)})
        self._match(order)
        await self._on_disk()
        return order

    async def cancel(self, order: VenueOrder) -> VenueOrder:
        """BookError where it is no longer open."""
        if not order.is_open:
            raise BookError("unknown")
        self._end(order, CANCELED)
        await self._on_disk()
        return order

    async def match_all(self, key: str) -> None:
        """Let the price work on what rests, and the dead-man switch on its account."""
        account = self.accounts[key]
        is_dead = bool(account.cancel_after_ms) and self.now_ms() >= account.cancel_after_ms
        waiting = [order for order in self.of(key) if order.is_open]
        for order in waiting:
            if is_dead:
                self._end(order, CANCELED)
            else:
                self._match(order)
        if is_dead:
            account.cancel_after_ms = 0
        if waiting:
            await self._on_disk()

    def is_visible(self, order: VenueOrder) -> bool:
        return order.visible_ms <= self.now_ms()

    def _check(self, order: VenueOrder) -> None:
        if order.symbol not in self.symbols:
            raise BookError("symbol")
        if order.quantity <= 0 or order.quantity % self.lot(order.symbol):
            raise BookError("lot")
        for asked in (order.price, order.stop):
            if asked < 0 or asked % self.tick_of(order.symbol):
                raise BookError("price")
        price = self.price(order.symbol)
        if order.quantity * (order.price or order.stop or price) < LEAST_NOTIONAL:
            raise BookError("notional")
        if order.stop and (order.stop >= price if order.side == "SELL" else order.stop <= price):
            raise BookError("trigger")
        if any(each.is_open and each.client_id == order.client_id for each in self.of(order.account)):
            raise BookError("duplicate")
        asset, amount = self._needs(order)
        owned = self.accounts[order.account].balances.get(asset, Decimal(0))
        if owned - self.locked(order.account).get(asset, Decimal(0)) < amount:
            raise BookError("insufficient")

    def _needs(self, order: VenueOrder) -> tuple[str, Decimal]:
        base, quote = split_symbol(order.symbol)
        if order.side == "SELL":
            return base, order.remaining
        return quote, order.remaining * (order.price or order.stop or self.price(order.symbol))

    def _match(self, order: VenueOrder) -> None:
        price, buys = self.price(order.symbol), order.side == "BUY"
        if order.stop:
            if price < order.stop if buys else price > order.stop:
                return
            order.stop = Decimal(0)
        reached = not order.price or (price <= order.price if buys else price >= order.price)
        if not reached:
            return
        is_maker = self.now_ms() > order.created_ms and order.type == "LIMIT"
        quantity = order.remaining
        if order.rest_ms > self.now_ms():
            lot = self.lot(order.symbol)
            quantity = (order.quantity / 2) // lot * lot - order.executed
        if quantity <= 0:
            return
        for part in self._parts(order.symbol, quantity):
            self._fill(order, part, price, is_maker=is_maker)

    def _parts(self, symbol: str, quantity: Decimal) -> list[Decimal]:
        lot, count = self.lot(symbol), max(self.lies.split_fills, 1)
        part = quantity / count // lot * lot
        if not part:
            return [quantity]
        return [part] * (count - 1) + [quantity - part * (count - 1)]

    def _fill(self, order: VenueOrder, quantity: Decimal, price: Decimal, *, is_maker: bool) -> None:
        base, quote = split_symbol(order.symbol)
        buys, worth = order.side == "BUY", price * quantity
        in_base = buys and not self.accounts[order.account].fee_in_quote
        fee = ((quantity if in_base else worth) * FEE).quantize(ATOM)
        trade = VenueTrade(
            id=len(self.trades) + 1,
            order_id=order.id,
            account=order.account,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=base if in_base else quote,
            at_ms=self.now_ms(),
            is_maker=is_maker,
        )
        self._book(order, trade)
        order.status = PARTIAL if order.remaining else FILLED
        order.updated_ms = trade.at_ms
        self.journal.note({"event": "trade", "trade": told(trade)})

    def _book(self, order: VenueOrder, trade: VenueTrade) -> None:
        base, quote = split_symbol(trade.symbol)
        sign = 1 if trade.side == "BUY" else -1
        balances = self.accounts[trade.account].balances
        for asset, amount in ((base, sign * trade.quantity), (quote, -sign * trade.quote)):
            balances[asset] = balances.get(asset, Decimal(0)) + amount
        balances[trade.fee_asset] -= trade.fee
        order.executed += trade.quantity
        order.quote += trade.quote
        self.trades.append(trade)

    def _end(self, order: VenueOrder, status: str) -> None:
        order.status, order.updated_ms = status, self.now_ms()
        self.journal.note({"event": "end", "order_id": order.id, "status": status, "at_ms": order.updated_ms})

    async def _on_disk(self) -> None:
        await self.journal.append({"event": "mark"})

    def _replay(self, record: dict[str, Any]) -> None:
        if record["event"] == "account":
            account = TradingAccount(**record["account"])
            account.balances = {asset: Decimal(amount) for asset, amount in account.balances.items()}
            self.accounts[account.key] = account
        elif record["event"] == "order":
            order = read(VenueOrder, record["order"])
            self.orders[order.id] = order
        elif record["event"] == "trade":
            trade = read(VenueTrade, record["trade"])
            order = self.orders[trade.order_id]
            self._book(order, trade)
            order.status, order.updated_ms = PARTIAL if order.remaining else FILLED, trade.at_ms
        elif record["event"] == "end":
            order = self.orders[record["order_id"]]
            order.status, order.updated_ms = record["status"], record["at_ms"]
