"""The integrators' list of signals beside a DRF ModelSerializer view of the same rows, and its answer by ETag.

    python benchmarks/api.py [--rounds 7] [--markdown docs/benchmarks.md]

Whole requests through Django's handler and every middleware, with the same key, permission and throttle; both lists
are compared value by value before anything is timed.
"""

import argparse
import os
import statistics
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness import Contender, commit, fresh_database, interleave, machine, verdict, write_section

BEGIN, END = "<!-- api.py -->", "<!-- end of api.py -->"
ROWS, SMALL = 1_000, 100
REQUESTS = 10
PATH, PEER = "/api/v1/signals", "/api/peer"


def make_rows() -> None:
    """Signals in the ledger, as publication writes them."""
    from signals.market.models import Exchange, Instrument  # noqa: PLC0415
    from signals.models import Signal  # noqa: PLC0415
    from signals.services.publishing import append_to_ledger  # noqa: PLC0415

    exchange, _ = Exchange.objects.get_or_create(code="binance", defaults={"name": "Binance"})
    instrument, _ = Instrument.objects.get_or_create(
        exchange=exchange, symbol="BTC/USDT", defaults={"base": "BTC", "quote": "USDT"}
    )
    first = datetime.now(UTC) - timedelta(hours=ROWS + 1)
    for number in range(ROWS):
        moment = first + timedelta(hours=number)
        signal = Signal(
            instrument=instrument,
            timeframe="1h",
            candle_open_time=moment - timedelta(hours=1),
            source="hybrid",
            strategy="rsi",
            direction="long",
            confidence=0.5 + number / (4 * ROWS),
            entry_price=100.0 + number,
            stop_loss=95.0 + number,
            take_profit=110.0 + number,
            reasons=["RSI left oversold", "MACD crossed above its signal", "4h agrees"],
            sessions=["london", "new_york"],
            published_at=moment,
            expires_at=moment + timedelta(hours=4),
        )
        append_to_ledger(signal)


def make_client() -> Any:
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from users.engine.api_key import ApiScope  # noqa: PLC0415
    from users.models import User  # noqa: PLC0415
    from users.services import create_api_key  # noqa: PLC0415

    settings.API_REQUESTS_PER_MINUTE = {"read": 10**9, "write": 10**9}
    settings.ALLOWED_HOSTS = ["*"]
    boss = User.objects.create_superuser("boss", "boss@example.com", "benchmark")
    _, key = create_api_key(user=boss, name="benchmark", scopes=[ApiScope.READ], now=datetime.now(UTC))
    return Client(headers={"Authorization": f"Bearer {key}"})


def add_peer() -> None:
    """The view that DRF's tutorial would write, behind the same authentication."""
    from django.urls import clear_url_caches, path  # noqa: PLC0415
    from rest_framework import serializers  # noqa: PLC0415
    from rest_framework.request import Request  # noqa: PLC0415
    from rest_framework.response import Response  # noqa: PLC0415

    from copilot_project import urls  # noqa: PLC0415
    from research.selectors.integrator import SIGNAL_FIELDS  # noqa: PLC0415
    from signals.models import Signal  # noqa: PLC0415
    from users.api.views import ApiView  # noqa: PLC0415
    from users.engine.api_key import ApiScope  # noqa: PLC0415

    class PeerSerializer(serializers.ModelSerializer[Signal]):
        id = serializers.UUIDField(source="public_id")
        symbol = serializers.CharField(source="instrument.symbol")
        exchange_id = serializers.IntegerField(source="instrument.exchange_id")

        class Meta:
            model = Signal
            fields = list(SIGNAL_FIELDS)

    class Peer(ApiView):
        required_scope = ApiScope.READ

        def get(self, request: Request) -> Response:
            rows = Signal.objects.select_related("instrument")[: int(request.query_params["limit"])]
            return Response({"results": PeerSerializer(rows, many=True).data})

    urls.urlpatterns.append(path(PEER.lstrip("/"), Peer.as_view()))
    clear_url_caches()


def compared(client: Any) -> None:
    """Raises AssertionError where the two lists differ."""
    ours, theirs = (client.get(path, {"limit": ROWS}).json()["results"] for path in (PATH, PEER))
    assert len(ours) == len(theirs) == ROWS
    for one, other in zip(ours, theirs, strict=True):
        assert set(one) == set(other)
        for name, value in one.items():
            if name.endswith(("_at", "_time")):
                assert datetime.fromisoformat(value) == datetime.fromisoformat(other[name])
            else:
                assert value == other[name], name


def asking(client: Any, path: str, limit: int, status: int = 200, **headers: str) -> Any:
    def ask() -> None:
        for _ in range(REQUESTS):
            assert client.get(path, {"limit": limit}, headers=headers).status_code == status

    return ask


def contenders(client: Any) -> list[Contender]:
    known = {limit: client.get(PATH, {"limit": limit}).headers["ETag"] for limit in (ROWS, SMALL)}
    found = []
    for limit in (ROWS, SMALL):
        found += [
            Contender(f"ours, {limit} rows", asking(client, PATH, limit), REQUESTS),
            Contender(
                f"ours by ETag (304), {limit} rows",
                asking(client, PATH, limit, 304, **{"If-None-Match": known[limit]}),
                REQUESTS,
            ),
            Contender(f"DRF ModelSerializer, {limit} rows", asking(client, PEER, limit), REQUESTS),
        ]
    return found


def report(found: list[Contender], rounds: int) -> str:
    ours, etag, peer = found[:3]
    lines = [
        BEGIN,
        "# The API's list of signals\n",
        f"`python benchmarks/api.py --rounds {rounds}`, commit {commit()}, {datetime.now(UTC):%Y-%m-%d}.",
        f"{machine()}; Postgres over a unix socket.",
        f"Medians of {rounds} interleaved rounds of {REQUESTS} whole requests, one after the other, in one process.\n",
        "| answer | ms | requests/s |",
        "|---|---:|---:|",
    ]
    lines += [f"| {one.name} | {1000 / one.rate:.2f} | {one.rate:,.0f} |" for one in found]
    smaller = statistics.median(found[5].seconds) / statistics.median(found[3].seconds)
    lines += [
        "",
        verdict(f"ours ÷ ModelSerializer, a full page of {ROWS}", ours.rate / peer.rate, 5),
        verdict("ETag ÷ ours, the same page", etag.rate / ours.rate, 2),
        f"- of {SMALL} rows ours is {smaller:.1f} × the ModelSerializer: what every request costs weighs more there",
        END,
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--markdown", type=Path, help="write the section here as well")
    asked = parser.parse_args()
    with fresh_database():
        from copilot_project.embedded import Redis  # noqa: PLC0415

        redis = Redis(Path(os.environ["COPILOT_STATE_DIR"]))
        redis.start()
        try:
            make_rows()
            client = make_client()
            add_peer()
            compared(client)
            found = contenders(client)
            interleave(found, asked.rounds)
            text = report(found, asked.rounds)
        finally:
            redis.stop()
    print(text)
    if asked.markdown:
        write_section(asked.markdown, text, BEGIN, END)
    return 1 if "MISSED" in text else 0


if __name__ == "__main__":
    sys.exit(main())
