"""Finnhub's `GET /api/v1/news`: headlines, scored here by the words in them.

A category is fetched once and serves every instrument that the same adapter is asked about.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from signals.engine.headline import cleaned, mentions, score_of, speaks_to_a_model
from signals.market.providers.mood_source import (
    Point,
    SentimentError,
    Subject,
    Told,
    Trouble,
    link_in,
    moment_in,
)
from signals.market.providers.sentiment_api import SentimentApi

SECONDS = 10.0
LEXICON_VERSION = "lexicon 1"


class FinnhubNews:
    def __init__(self, *, base_url: str, key: str, seconds: float = SECONDS) -> None:
        self._api = SentimentApi("finnhub", base_url, {"X-Finnhub-Token": key}, seconds)
        self._news: dict[str, list[Any]] = {}

    def read(self, subject: Subject, *, start: datetime, end: datetime) -> Told:
        calls = 0 if subject.category in self._news else 1
        rows = self._category(subject.category)
        points: dict[str, Point] = {}
        dropped: list[str] = []
        for row in rows:
            article: Mapping[str, Any] = row if isinstance(row, dict) else {}
            headline = cleaned(article.get("headline"))
            if not mentions(headline, subject.names):
                continue
            point = _scored(article, headline, start, end, dropped)
            # The same words in ten papers are one opinion: the first counts.
            if point and (
                headline.lower() not in points or point.published_at < points[headline.lower()].published_at
            ):
                points[headline.lower()] = point
        return Told(
            tuple(sorted(points.values(), key=lambda each: each.published_at)),
            calls=calls,
            dropped=tuple(dropped),
        )

    def _category(self, category: str) -> list[Any]:
        if category not in self._news:
            rows = self._api.ask("GET", "/api/v1/news", parameters={"category": category})
            if not isinstance(rows, list):
                raise SentimentError("finnhub: the answer is no list of news", Trouble.MALFORMED)
            self._news[category] = rows
        return self._news[category]


def _scored(
    article: Mapping[str, Any], headline: str, start: datetime, end: datetime, dropped: list[str]
) -> Point | None:
    if speaks_to_a_model(headline):
        dropped.append("a headline that speaks to a model")
        return None
    moment = moment_in(article.get("datetime"), start=start - timedelta(days=7), end=end)
    if moment is None:
        dropped.append("a headline without a time that can be")
        return None
    score = score_of(headline)
    if score is None or moment < start:
        return None
    link = link_in(headline, article.get("url"))
    number = article.get("id")
    return Point(
        moment,
        score,
        citations=(link,) if link else (),
        model=LEXICON_VERSION,
        reference=str(number) if isinstance(number, int) else "",
    )
