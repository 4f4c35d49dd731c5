"""The seed document's two contracts, told from our own store: a client that was written for them works against us.

Off unless SERVE_SENTIMENT is on, for the vendors' terms may forbid passing on what they say; then both answer 404.
"""

from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from research.api.answers import known_or_answer
from research.api.serializers import Instant
from research.api.views import IntegratorView
from research.selectors.sentiment import asset, pair, readings
from signals.engine.sentiment import Origin
from signals.market.models import Instrument
from users.api.authentication import ApiKeyAuthentication, KeyScheme, SessionAuthentication
from users.api.views import validated

LONGEST_SPAN, USUAL_SPAN = timedelta(days=31), timedelta(days=1)
FINNHUB_HEADER = "X-Finnhub-Token"


class SeedKeyAuthentication(ApiKeyAuthentication):
    """Our API key as the system takes it, or where Finnhub's clients put theirs."""

    other_headers = (FINNHUB_HEADER,)


class SeedKeyScheme(KeyScheme):
    target_class = SeedKeyAuthentication
    name = "seedKey"


class PairQuery(serializers.Serializer[Any]):
    pair = serializers.CharField(max_length=32, help_text="BTC/USD.")
    start_date = Instant(required=False, help_text="Without it: a day before the end.")
    end_date = Instant(required=False, help_text="Without it: now.")


class NewsQuery(serializers.Serializer[Any]):
    symbol = serializers.CharField(max_length=32, help_text="The base asset: BTC for BTC/USD.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is no name in Python."""
        days = {name: Instant(required=False) for name in ("from", "to")}
        return {**super().get_fields(), **days}


class SeedReading(serializers.Serializer[Any]):
    timestamp = serializers.DateTimeField()
    sentiment_score = serializers.FloatField(help_text="-1 bearish, 1 bullish.")


class PairAnswer(serializers.Serializer[Any]):
    sentiments = SeedReading(many=True)


class NewsAnswer(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    sentiment = SeedReading(many=True)


class SeedView(IntegratorView):
    authentication_classes = (SeedKeyAuthentication, SessionAuthentication)
    required_rights = ("market.view_sentimentreading",)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # a stranger is not told either
        if not settings.SERVE_SENTIMENT:
            raise NotFound("Sentiment is not served here: SERVE_SENTIMENT is off.")


class PairSentiment(SeedView):
    """What we know of X about a pair, oldest first, as xAI's endpoint of the seed document would tell it."""

    @extend_schema("sentiment_of_pair", parameters=[PairQuery], responses={200: PairAnswer})
    def get(self, request: Request) -> HttpResponse:
        query = validated(PairQuery(data=request.query_params))
        instrument = _known(pair(query["pair"]), "pair", query["pair"])
        start, end = _span(query, "start_date", "end_date")
        told = readings(instrument=instrument, origin=Origin.X, start=start, end=end)
        return known_or_answer(request, orjson.dumps({"sentiments": told}))


class NewsSentiment(SeedView):
    """What we know of the news about an asset, oldest first, as the seed document has Finnhub tell it."""

    @extend_schema("sentiment_of_news", parameters=[NewsQuery], responses={200: NewsAnswer})
    def get(self, request: Request) -> HttpResponse:
        query = validated(NewsQuery(data=request.query_params))
        instrument = _known(asset(query["symbol"]), "symbol", query["symbol"])
        start, end = _span(query, "from", "to")
        told = readings(instrument=instrument, origin=Origin.NEWS, start=start, end=end)
        return known_or_answer(request, orjson.dumps({"symbol": instrument.base, "sentiment": told}))


def _known(found: Instrument | None, field: str, name: str) -> Instrument:
    if found is None:
        raise ValidationError({field: f"No instrument of ours is called {name}."})
    return found


def _span(query: dict[str, Any], first: str, last: str) -> tuple[datetime, datetime]:
    end = query.get(last) or timezone.now()
    start = query.get(first) or end - USUAL_SPAN
    if not start <= end <= start + LONGEST_SPAN:
        raise ValidationError({first: f"At most {LONGEST_SPAN.days} days, and not after {last}."})
    return start, end
