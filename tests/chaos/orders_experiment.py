"""The run of `tests.chaos.orders`: whoever decides, a person who ends what the exchange knows nothing of, the judge."""

import random
import signal
import time
from argparse import Namespace
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management import call_command
from django.db.models import QuerySet
from django.utils import timezone

from autopilot.engine.order import OrderSide, OrderType
from autopilot.models import (
    Account,
    AccountKind,
    Holding,
    LiveArming,
    LiveOrder,
    Order,
    Position,
    Reconciliation,
)
from autopilot.services.accounts import open_account
from autopilot.services.live.arming import confirm_arming, request_arming
from autopilot.services.live.intents import DecisionError, decide_unknown, has_no_evidence
from autopilot.services.live.keys import store_key
from autopilot.services.live.stops import move_stop
from autopilot.services.order_request import OrderRequest
from autopilot.services.orders import close_position, place_order, withdraw_entries, withdraw_order
from signals.crash_points import CrashPoint
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, Exchange, Instrument
from tests.chaos.forked import ForkedExecutor
from tests.chaos.processes import start_sandbox

POINTS = (
    CrashPoint.BEFORE_SUBMITTING,
    CrashPoint.AFTER_SUBMITTING,
    CrashPoint.AFTER_SUBMIT_CALL,
    CrashPoint.AFTER_ACKNOWLEDGED,
    CrashPoint.AFTER_BOOKING_BEFORE_COMMIT,
    CrashPoint.AFTER_BOOKING,
    CrashPoint.AFTER_CANCEL_CALL,
    CrashPoint.BEFORE_RECONCILED,
)
SYMBOLS = {"BTC/USDT": "50000", "ETH/USDT": "2500", "SOL/USDT": "150", "BNB/USDT": "600"}
QUANTITIES = {"BTC/USDT": "0.01", "ETH/USDT": "0.2", "SOL/USDT": "3.0", "BNB/USDT": "1.0"}
# Deaths come at a visit drawn up to these, so that much is under way; everywhere else up to 24.
LATEST_VISIT = {CrashPoint.AFTER_CANCEL_CALL: 6, CrashPoint.BEFORE_RECONCILED: 10}
FRESH = timedelta(seconds=25)
IN_FLIGHT = 10  # intents that wait for the executor
NO_EVIDENCE_SECONDS = 4.0
LIES = {
    "hidden_probability": 0.05,
    "hidden_seconds": 3,
    "partial_probability": 0.3,
    "partial_seconds": 4,
    "split_fills": 2,
    "duplicate_fills": True,
    "reorder_fills": True,
}
FAULTS = (("hang", 0.03), ("502", 0.04), ("close", 0.03), ("garbage", 0.03), ("500", 0.02), ("403", 0.01))
SETTLES_WITHIN = 240.0
NO_LIMITS = (
    "max_exposure",
    "max_daily_loss",
    "max_drawdown",
    "max_correlation",
    "cooldown_seconds",
    "max_trades_a_day",
    "max_positions",
    "max_orders_a_minute",
)


def run(options: Namespace, state: Path) -> dict[str, Any]:
    settings.LIVE_TRADING_ALLOWED = True
    settings.LIVE_CALL_TIMEOUT_MS = 500
    settings.LIVE_NO_EVIDENCE_SECONDS = NO_EVIDENCE_SECONDS
    call_command("migrate", verbosity=0, interactive=False)
    with start_sandbox(state) as sandbox:
        settings.EXCHANGE_API_URL = f"{sandbox.url}/binance"
        return Ordeal(options, state, sandbox.url).run()


def sent() -> QuerySet[LiveOrder]:
    return LiveOrder.objects.filter(submitted_at__isnull=False)


class Ordeal:
    def __init__(self, options: Namespace, state: Path, url: str) -> None:
        self.options, self.state, self.url = options, state, url
        self.client = httpx.Client(base_url=f"{url}/_sandbox", timeout=60, verify=False)
        self.rng = random.Random(options.seed)
        self.kills: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.decided = self.starts = 0
        self.executor: ForkedExecutor | None = None
        self.point: CrashPoint | None = None
        self.newest: datetime | None = None
        self.forked_at = timezone.now()

    def run(self) -> dict[str, Any]:
        began = time.monotonic()
        self._prepare()
        while not self._is_done() and time.monotonic() - began < self.options.longest:
            self._keep_executor()
            self._arm()
            self._candles()
            self._decide()
            self._person()
            time.sleep(0.25)
        self._settle()
        return self._judge(time.monotonic() - began)

    def _is_done(self) -> bool:
        """Those count that went to the exchange; what was dropped before did not."""
        return sent().count() >= self.options.intents and all(
            self.kills[point.value] >= self.options.per_point for point in POINTS
        )

    def _prepare(self) -> None:
        exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
        for symbol, price in SYMBOLS.items():
            self._post("/exchange/price", {"symbol": symbol.replace("/", ""), "price": price})
            base, quote = symbol.split("/")
            fine = symbol in ("BTC/USDT", "ETH/USDT", "BNB/USDT")
            Instrument.objects.update_or_create(
                exchange=exchange,
                symbol=symbol,
                defaults={
                    "base": base,
                    "quote": quote,
                    "tick_size": Decimal("0.01"),
                    "lot_step": Decimal("0.00001") if fine else Decimal("0.01"),
                    "minimum_notional": Decimal(5),
                },
            )
        for number in range(self.options.accounts):
            key, secret = f"chaos-key-{number}", f"chaos-secret-{number}"
            self._post("/exchange/accounts", {"key": key, "secret": secret, "balances": {"USDT": "10000000"}})
            account = open_account(
                name=f"Chaos {number}",
                currency="USDT",
                cash=Decimal(10_000_000),
                kind=AccountKind.LIVE,
                by="chaos",
                now=timezone.now(),
                **dict.fromkeys(NO_LIMITS),
            )
            store_key(
                account=account,
                exchange=exchange,
                api_key=key,
                api_secret=secret,
                by="chaos",
                now=timezone.now(),
            )
        self.accounts = list(Account.objects.filter(kind=AccountKind.LIVE).order_by("pk"))
        self.instruments = list(Instrument.objects.filter(symbol__in=SYMBOLS).order_by("symbol"))
        self.pairs = [(account, each) for account in self.accounts for each in self.instruments]
        self._post("/exchange/lies", LIES | {"seed": self.options.seed})
        for kind, probability in FAULTS:
            for method in ("POST order", "DELETE order", "GET order"):
                fault = {"kind": kind, "target": "exchange", "method": method, "probability": probability}
                self._post("/faults", fault)

    def _keep_executor(self) -> None:
        """Start it anew when it died, to die at the point that has died least."""
        if self.executor is not None:
            status = self.executor.status()
            if status is None:
                return
            if self.point is None or status != -signal.SIGKILL:
                raise RuntimeError(f"the executor ended by itself ({status}): {self.state / 'executor.log'}")
            self.kills[self.point.value] += 1
        owing = [each for each in POINTS if self.kills[each.value] < self.options.per_point]
        self.point = min(owing, key=lambda each: self.kills[each.value]) if owing else None
        latest = LATEST_VISIT.get(self.point, 24) if self.point else 0
        crash = f"{self.point.value}:{self.rng.randint(1, latest)}" if self.point else ""
        self.executor = ForkedExecutor(self.state / "executor.log", crash)
        self.starts, self.forked_at = self.starts + 1, timezone.now()

    def _arm(self) -> None:
        """A restart returned everything to paper: two persons arm again."""
        now = timezone.now()
        armed = set(LiveArming.objects.in_force(now).values_list("account_id", flat=True))
        for account in self.accounts:
            if account.pk not in armed:
                arming = request_arming(
                    account=account, typed=account.name, reason="chaos", by="ada", now=now
                )
                confirm_arming(arming=arming, typed=account.name, by="bob", may_be_same=False, now=now)

    def _decide(self) -> None:
        """Enter where nothing is held or waits; leave, move the stop or take a limit out where something is."""
        now = timezone.now()
        opened = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        room = IN_FLIGHT - LiveOrder.objects.filter(state="new").count()
        # By this life of the executor: what is written while none leads is dropped by the next.
        compared = Reconciliation.objects.filter(is_clean=True, at__gt=max(self.forked_at, now - FRESH))
        clean = set(compared.values_list("account_id", flat=True))
        alive = LiveOrder.objects.alive().exclude(order__purpose="stop").order_by()
        under_way = {
            (account, instrument): (pk, purpose, asked, at)
            for account, instrument, pk, purpose, asked, at in alive.values_list(
                "account_id", "instrument_id", "pk", "order__purpose", "cancel_asked_at", "written_at"
            )
        }
        held = Position.objects.filter(quantity__gt=0).order_by()
        positions = {(each.account_id, each.instrument_id): each for each in held}
        for account, instrument in self.rng.sample(self.pairs, len(self.pairs)):
            if room <= 0:
                return
            pair = (account.pk, instrument.pk)
            position = positions.get(pair)
            if pair in under_way:
                self._maybe_cancel(*under_way[pair], now)
            elif position is not None and position.quantity >= position.lot:
                position.account, position.instrument = account, instrument
                room -= self._leave(position, opened, now)
            elif account.pk in clean:
                room -= self._enter(account, instrument, opened, now)

    def _leave(self, position: Position, opened: datetime, now: datetime) -> int:
        """Sometimes the stop is moved instead, as a managed exit does."""
        if self.rng.random() < 0.15:
            price = Decimal(SYMBOLS[position.instrument.symbol])
            moved = price * Decimal(self.rng.randint(70, 95)) / 100
            return int(move_stop(position=position, price=moved, by="chaos", now=now))
        return int(
            close_position(
                account=position.account,
                instrument=position.instrument,
                candle_open_time=opened,
                now=now,
                by="chaos",
            )
            is not None
        )

    def _enter(self, account: Account, instrument: Instrument, opened: datetime, now: datetime) -> int:
        price = Decimal(SYMBOLS[instrument.symbol])
        kind = self.rng.random()
        limit = None if kind < 0.5 else price if kind < 0.85 else price * Decimal("0.9")
        request = OrderRequest(
            side=OrderSide.BUY,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            quantity=Decimal(QUANTITIES[instrument.symbol]),
            price=limit,
            stop=price * Decimal("0.8") if self.rng.random() < 0.5 else None,
            is_calibrated=True,
            is_proven=True,
            key=str(self.rng.random()),
        )
        order = place_order(
            account=account,
            instrument=instrument,
            timeframe=Timeframe.H1,
            candle_open_time=opened,
            request=request,
            as_of=now,
            now=now,
            by="chaos",
        )
        if not order.is_open:
            self.refused[order.reason_code] += 1
        return int(order.is_open)

    def _candles(self) -> None:
        """The closed hour, of every instrument: what orders are decided on."""
        opened = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        if opened == self.newest:
            return
        self.newest = opened
        for instrument in self.instruments:
            close = float(SYMBOLS[instrument.symbol])
            Candle.objects.get_or_create(
                instrument=instrument,
                timeframe="1h",
                open_time=opened,
                defaults={"open": close, "high": close, "low": close, "close": close, "volume": 1.0},
            )

    def _maybe_cancel(
        self, pk: int, purpose: str, asked: datetime | None, written: datetime, now: datetime
    ) -> None:
        if purpose == "entry" and asked is None and written < now - timedelta(seconds=3):
            withdraw_order(order=Order.objects.get(pk=pk), reason="chaos", now=now, by="chaos")

    def _person(self) -> None:
        """Ends what the exchange has twice known nothing of, and only what its book does not hold."""
        for live in LiveOrder.objects.filter(state="unknown", last_empty_at__isnull=False).select_related(
            "order"
        ):
            if not has_no_evidence(live):
                continue
            book = self._get("/exchange/book")["orders"]
            if any(each["client_id"] == live.order.client_order_id for each in book):
                continue
            try:
                decide_unknown(live_id=live.pk, note="not in the book", by="ada", now=timezone.now())
                self.decided += 1
            except DecisionError:
                continue

    def _settle(self) -> None:
        """No more lies, no more kills: what is under way comes to its end."""
        self.client.delete("/faults").raise_for_status()
        self._post("/exchange/lies", {"hidden_probability": 0, "partial_probability": 0})
        if self.executor is not None:
            self.executor.kill()
        self.options.per_point = 0
        self.executor = None
        deadline = time.monotonic() + SETTLES_WITHIN
        while time.monotonic() < deadline:
            self._keep_executor()
            now = timezone.now()
            waiting = LiveOrder.objects.alive().filter(order__purpose="entry")
            for live in waiting.select_related("account", "instrument"):
                withdraw_entries(
                    account=live.account, instrument=live.instrument, reason="end", now=now, by="chaos"
                )
            self._person()
            unsettled = LiveOrder.objects.alive().exclude(order__purpose="stop")
            waiting_stops = LiveOrder.objects.alive().filter(order__purpose="stop").exclude(state="acked")
            if not unsettled.exists() and not waiting_stops.exists():
                break
            time.sleep(0.5)
        time.sleep(12)  # two comparisons
        if self.executor is not None:
            self.executor.kill()

    def _judge(self, seconds: float) -> dict[str, Any]:
        book = self._get("/exchange/book")
        ids = Counter(each["client_id"] for each in book["orders"])
        known = set(Order.objects.values_list("client_order_id", flat=True))
        taken = {
            (row.account.name.removeprefix("Chaos "), row.venue_order_id)
            for row in LiveOrder.objects.exclude(venue_order_id="").select_related("account")
        }
        orphans = [
            each["client_id"]
            for each in book["orders"]
            if each["client_id"] not in known or (each["account"][10:], str(each["id"])) not in taken
        ]
        by_time = LiveOrder.objects.filter(state="decided", decided_by="").count()
        unresolved = LiveOrder.objects.unsure().count()
        wrong, compared = self._positions(book)
        doubled = sum(count - 1 for count in ids.values())
        figures: dict[str, Any] = {
            "intents_sent": sent().count(),
            "intents_dropped_before": LiveOrder.objects.filter(submitted_at=None).count(),
            "orders_in_the_exchanges_book": len(book["orders"]),
            "orders_doubled": doubled,
            "orphans_after_reconciliation": len(orphans),
            "intents_ended_by_time_alone": by_time,
            "intents_still_unknown": unresolved,
            "ended_by_a_person_after_two_empty_answers": self.decided,
            "positions_compared": compared,
            "positions_equal_to_the_exchange": compared - wrong,
            "faults": dict(self._status().get("faults_struck", {})),
            "executors_started": self.starts,
            "kills": dict(sorted(self.kills.items())),
            "refused_before_they_were_sent": dict(sorted(self.refused.items())),
            "states": dict(Counter(LiveOrder.objects.values_list("state", flat=True))),
            "seconds": round(seconds, 1),
        }
        figures["failed"] = bool(doubled or orphans or by_time or unresolved or wrong)
        return figures

    def _positions(self, book: dict[str, Any]) -> tuple[int, int]:
        wrong = compared = 0
        for position in Position.objects.select_related("account", "instrument"):
            key = f"chaos-key-{position.account.name.removeprefix('Chaos ')}"
            asset = position.instrument.base
            before = Holding.objects.filter(account=position.account, asset=asset).first()
            owned = Decimal(book["balances"][key].get(asset, "0")) - (before.quantity if before else 0)
            compared += 1
            wrong += owned != position.quantity
        return wrong, compared

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self.client.post(path, json=body).raise_for_status()

    def _get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def _status(self) -> dict[str, Any]:
        told: dict[str, Any] = self._get("/status")
        return told
