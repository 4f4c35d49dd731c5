"""The integrators' endpoints. Each reads the clock once: what is released then is all that it tells."""

import uuid
from datetime import timedelta
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from autopilot.api.lookup import instrument_named
from notifications.services.receipts import receipt_for
from research.api.answers import (
    answer,
    cursor_place,
    cursor_text,
    etag_of,
    is_known,
    known_or_answer,
    not_modified,
)
from research.api.serializers import (
    CandleQuery,
    CandlesAnswer,
    InstrumentsAnswer,
    ListQuery,
    OutcomeQuery,
    OutcomesAnswer,
    PerformanceAnswer,
    PerformanceQuery,
    ReceiptAnswer,
    SignalAnswer,
    SignalQuery,
    SignalsAnswer,
    TradesAnswer,
)
from research.selectors.integrator import (
    OUTCOMES,
    SIGNALS,
    TRADES,
    Audience,
    Listing,
    audience_of,
    newest,
    page,
)
from research.selectors.integrator_market import candle_columns, candle_page, instruments_text
from research.selectors.integrator_performance import performance
from research.selectors.table_export import parquet
from signals.engine.ledger import canonical_json
from signals.engine.timeframe import Timeframe
from signals.market.models import COLUMNS
from signals.selectors import sending_allowed
from users.api.authentication import key_of_request
from users.api.views import ApiView, validated
from users.engine.api_key import ApiScope

PARQUET = "application/vnd.apache.parquet"
PAGING = frozenset({"limit", "cursor", "order", "symbol", "exchange_id"})


class IntegratorView(ApiView):
    """Reading, also with a tier's key."""

    required_scope = ApiScope.READ
    open_to_tiers = True


class Instruments(IntegratorView):
    """What signals and candles are of."""

    required_rights = ("market.view_instrument",)

    @extend_schema(responses={200: InstrumentsAnswer})
    def get(self, request: Request) -> HttpResponse:
        return known_or_answer(request, '{"results":' + instruments_text() + "}")


class Candles(IntegratorView):
    """Closed candles, oldest first; without `start` the newest. As Parquet with `file=parquet`."""

    required_rights = ("market.view_instrument",)

    @extend_schema(
        parameters=[CandleQuery],
        responses={
            (200, "application/json"): CandlesAnswer,
            (200, PARQUET): OpenApiResponse(OpenApiTypes.BINARY),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        query, now = validated(CandleQuery(data=request.query_params)), timezone.now()
        instrument = instrument_named(query["symbol"], query.get("exchange_id"))
        timeframe, limit = Timeframe(query["timeframe"]), query["limit"]
        start, end = span(query, timeframe, now)
        asked = {"instrument_id": instrument.pk, "timeframe": timeframe, "start": start, "end": end}
        if query["file"] == "parquet":
            content = parquet(candle_columns(**asked, limit=limit, now=now))
            name = f"{instrument.symbol}-{timeframe}.parquet".replace("/", "-").replace(":", "-")
            response = answer(content, etag_of(content), PARQUET)
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return response
        found = candle_page(**asked, limit=limit, now=now)
        head = {
            "symbol": instrument.symbol,
            "exchange_id": instrument.exchange_id,
            "timeframe": timeframe.value,
            "columns": list(COLUMNS),
            "next": found.next_start,
        }
        return known_or_answer(request, orjson.dumps(head)[:-1] + b',"candles":' + found.text.encode() + b"}")


class ListView(IntegratorView):
    """A list by cursor. Its ETag is known before its rows are read."""

    listing: Listing
    query: type[ListQuery] = ListQuery

    def listed(self, request: Request) -> HttpResponse:
        query = validated(self.query(data=request.query_params))
        audience = audience_of_request(request)
        wanted = {name: value for name, value in query.items() if name not in PAGING}
        if "symbol" in query:
            wanted["instrument"] = instrument_named(query["symbol"], query.get("exchange_id")).pk
        after = cursor_place(query["cursor"]) if "cursor" in query else None
        etag = etag_of(
            request.get_full_path(), wanted, audience.tier_id, audience.experimental,
            newest(self.listing, audience),
        )  # fmt: skip
        if is_known(request, etag):
            return not_modified(etag)
        oldest_first = query["order"] == "oldest"
        found = page(
            self.listing,
            audience,
            wanted=wanted,
            after=after,
            oldest_first=oldest_first,
            limit=query["limit"],
        )
        last = found.last if found.rows == query["limit"] else None
        if oldest_first:
            last = found.last if found.last is not None else after or 0
        follows = "null" if last is None else f'"{cursor_text(last)}"'
        return answer('{"results":' + found.text + ',"next":' + follows + "}", etag)


class Signals(ListView):
    """Published signals, each from its release for the key's tier on."""

    required_rights = ("signals.view_signal",)
    listing, query = SIGNALS, SignalQuery

    @extend_schema("signals_list", parameters=[SignalQuery], responses={200: SignalsAnswer})
    def get(self, request: Request) -> HttpResponse:
        return self.listed(request)


SIGNAL_ID = OpenApiParameter("signal_id", OpenApiTypes.UUID, OpenApiParameter.PATH)


class OneSignal(IntegratorView):
    """One signal; before its release it is unknown."""

    required_rights = ("signals.view_signal",)

    @extend_schema(
        parameters=[SIGNAL_ID],
        responses={200: SignalAnswer},
    )
    def get(self, request: Request, signal_id: str) -> HttpResponse:
        return known_or_answer(request, visible_signal(request, signal_id))


class SignalReceipt(IntegratorView):
    """Proof that a signal stands in the signed ledger, from the first head after its release on. The bytes are
    what `verify_ledger.py --receipt FILE --key PUBLIC_KEY` reads."""

    required_rights = ("signals.view_signal",)

    @extend_schema(parameters=[SIGNAL_ID], responses={200: ReceiptAnswer})
    def get(self, request: Request, signal_id: str) -> HttpResponse:
        visible_signal(request, signal_id)
        tier = tier_of(request)
        found = None
        if tier is None or sending_allowed():
            found = receipt_for(signal_public_id=uuid.UUID(signal_id), tier=tier, now=timezone.now())
        if found is None:
            raise NotFound("There is no receipt yet: it comes with the next daily head of the ledger.")
        return known_or_answer(request, canonical_json(found))


class Outcomes(ListView):
    """How signals ended, each as late as the tier gets it."""

    required_rights = ("signals.view_signaloutcome",)
    listing, query = OUTCOMES, OutcomeQuery

    @extend_schema("outcomes_list", parameters=[OutcomeQuery], responses={200: OutcomesAnswer})
    def get(self, request: Request) -> HttpResponse:
        return self.listed(request)


class Trades(ListView):
    """Closed trades of the autopilot on paper; with a tier's key those that followed a signal that it may see."""

    required_rights = ("autopilot.view_trade",)
    listing, query = TRADES, OutcomeQuery

    @extend_schema("trades_list", parameters=[OutcomeQuery], responses={200: TradesAnswer})
    def get(self, request: Request) -> HttpResponse:
        return self.listed(request)


class Performance(IntegratorView):
    """Results in R after costs, of the outcomes that the key may see."""

    required_rights = ("signals.view_signaloutcome",)

    @extend_schema(parameters=[PerformanceQuery], responses={200: PerformanceAnswer})
    def get(self, request: Request) -> HttpResponse:
        query, now = validated(PerformanceQuery(data=request.query_params)), timezone.now()
        instrument = (
            instrument_named(query["symbol"], query.get("exchange_id")).pk if "symbol" in query else None
        )
        audience = audience_of(tier_of(request), now=now)
        found = performance(audience, days=query["days"], instrument_id=instrument, now=now)
        return known_or_answer(request, orjson.dumps(found))


def visible_signal(request: Request, signal_id: str) -> str:
    """As JSON. NotFound for what this key may not see, as for what is not there."""
    try:
        wanted = {"id": uuid.UUID(signal_id)}
    except ValueError:
        raise NotFound(f"There is no signal {signal_id}.") from None
    found = page(
        SIGNALS, audience_of_request(request), wanted=wanted, after=None, oldest_first=False, limit=1
    )
    if not found.rows:
        raise NotFound(f"There is no signal {signal_id}.")
    return found.text[1:-1]


def tier_of(request: Request) -> Any:
    key = key_of_request(request)
    return key.tier if key else None


def audience_of_request(request: Request) -> Audience:
    return audience_of(tier_of(request), now=timezone.now())


def span(query: dict[str, Any], timeframe: Timeframe, now: Any) -> tuple[Any, Any]:
    """Which openings are asked for."""
    end = query.get("end") or now
    return query.get("start") or end - timedelta(seconds=timeframe.seconds * query["limit"]), end
