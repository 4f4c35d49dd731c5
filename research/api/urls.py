"""Under /api/v1/."""

from django.urls import path

from research.api.sentiment import NewsSentiment
from research.api.views import (
    Candles,
    Instruments,
    OneSignal,
    Outcomes,
    Performance,
    SignalReceipt,
    Signals,
    Trades,
)

app_name = "integrators"
urlpatterns = [
    path("instruments", Instruments.as_view(), name="instruments"),
    path("candles", Candles.as_view(), name="candles"),
    path("signals", Signals.as_view(), name="signals"),
    path("signals/<str:signal_id>", OneSignal.as_view(), name="signal"),
    path("signals/<str:signal_id>/receipt", SignalReceipt.as_view(), name="signal_receipt"),
    path("outcomes", Outcomes.as_view(), name="outcomes"),
    path("performance", Performance.as_view(), name="performance"),
    path("news-sentiment", NewsSentiment.as_view(), name="news_sentiment"),
    path("trades", Trades.as_view(), name="trades"),
]
