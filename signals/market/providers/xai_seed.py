"""The seed document's `GET /v1/sentiment` of xAI: no such endpoint is known to exist there, but others serve it."""

from datetime import datetime

from signals.market.providers.mood_source import SentimentError, Subject, Told, Trouble
from signals.market.providers.seed_shape import told_by
from signals.market.providers.sentiment_api import SentimentApi

SECONDS = 10.0


class XaiSeed:
    def __init__(self, *, base_url: str, key: str, seconds: float = SECONDS) -> None:
        self._api = SentimentApi("xai", base_url, {"Authorization": f"Bearer {key}"}, seconds)

    def read(self, subject: Subject, *, start: datetime, end: datetime) -> Told:
        asked = {"pair": subject.pair, "start_date": iso(start), "end_date": iso(end)}
        answer = self._api.ask("GET", "/v1/sentiment", parameters=asked)
        rows = answer.get("sentiments") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise SentimentError("xai: the answer has no list `sentiments`", Trouble.MALFORMED)
        return told_by(rows, start=start, end=end, model="seed")


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
