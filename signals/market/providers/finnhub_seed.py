"""Finnhub's `GET /api/v1/news-sentiment`, in the seed's shape (a list) or the real one (shares of companies' news)."""

from datetime import datetime
from typing import Any

from signals.market.providers.mood_source import (
    Point,
    SentimentError,
    Subject,
    Told,
    Trouble,
    count_in,
    score_in,
    share_in,
)
from signals.market.providers.seed_shape import told_by
from signals.market.providers.sentiment_api import SentimentApi

SECONDS = 10.0


class FinnhubSeed:
    def __init__(self, *, base_url: str, key: str, seconds: float = SECONDS) -> None:
        self._api = SentimentApi("finnhub", base_url, {"X-Finnhub-Token": key}, seconds)

    def read(self, subject: Subject, *, start: datetime, end: datetime) -> Told:
        asked = {
            "symbol": subject.base,
            "from": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        }
        answer = self._api.ask("GET", "/api/v1/news-sentiment", parameters=asked)
        said = answer.get("sentiment") if isinstance(answer, dict) else None
        if isinstance(said, list):
            return told_by(said, start=start, end=end, model="seed")
        if isinstance(answer, dict) and ("buzz" in answer or isinstance(said, dict)):
            return _of_company(answer, end)
        raise SentimentError("finnhub: the answer has no `sentiment`", Trouble.MALFORMED)


def _of_company(answer: dict[str, Any], end: datetime) -> Told:
    """One point, of now: bullish less bearish share, else its score of the company's news."""
    said = answer.get("sentiment") or {}
    bullish, bearish = share_in(said.get("bullishPercent")), share_in(said.get("bearishPercent"))
    news = share_in(answer.get("companyNewsScore"))
    if bullish is not None and bearish is not None:
        score = score_in(bullish - bearish)
    else:
        score = None if news is None else 2 * news - 1
    buzz = answer.get("buzz")
    n = count_in(buzz.get("articlesInLastWeek")) if isinstance(buzz, dict) else None
    if score is None:
        return Told(dropped=("neither shares nor a score from 0 to 1",))
    if not n:
        return Told(dropped=("no article stands behind it",))
    return Told((Point(end, score, n=n, model="finnhub"),))
