"""The sentiment page: what a close of now would know of each instrument, how the sources stand, and the readings."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from research.charts.sentiment import sentiment as sentiment_figure
from research.selectors.sentiment import mood_history, moods, shown
from research.views.page import page
from signals.engine.sentiment import VETO, Origin
from signals.market.models import Instrument, SentimentFeed

DAYS = 7
READINGS_SHOWN = 30


def sentiment(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    rows = moods(now=now)
    asked = request.GET.get("instrument", "")
    number = int(asked) if asked.isdecimal() and len(asked) < 10 else None
    chosen = next((row for row in rows if row.instrument.pk == number), rows[0] if rows else None)
    context: dict[str, Any] = {
        "now": now,
        "rows": [(row, row.mood.origins.get(Origin.X), row.mood.origins.get(Origin.NEWS)) for row in rows],
        "feeds": SentimentFeed.objects.all(),
        "calls_per_day": settings.SENTIMENT_CALLS_PER_DAY,
        "usd_per_day": settings.SENTIMENT_USD_PER_DAY,
        "chosen": chosen.instrument if chosen else None,
        "days": DAYS,
    }
    if chosen:
        known = shown(instrument=chosen.instrument, now=now, days=DAYS)
        context["readings"] = list(reversed(known))[:READINGS_SHOWN]
    return page(request, "research/sentiment.html", "Sentiment", context)


def figure(request: HttpRequest, pk: int) -> HttpResponse:
    instrument, now = get_object_or_404(Instrument, pk=pk), timezone.now()
    known = shown(instrument=instrument, now=now, days=DAYS)
    points: dict[str, list[tuple[Any, float, str]]] = {}
    for each in known:
        cited = "; ".join(str(link.get("title") or "") for link in each.citations[:1])
        points.setdefault(each.source, []).append((each.published_at, each.score, cited))
    hours, scores = mood_history(known, now=now, days=DAYS)
    return JsonResponse(sentiment_figure(dict(sorted(points.items())), hours, scores, veto=VETO))
