"""Backtests and portfolios over the API: what may be asked, and what comes back."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from research.api.serializers import HIGHEST_ID, TIMEFRAMES, Instant
from research.forms import OBJECTIVES, SIZINGS

MOST_INSTRUMENTS = 50
STATES = ["queued", "running", "succeeded", "failed", "cancelled"]


def amount(default: str, low: str, high: str, **options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=24,
        decimal_places=10,
        default=Decimal(default),
        min_value=Decimal(low),
        max_value=Decimal(high),
        **options,
    )


class StudyRequest(serializers.Serializer[Any]):
    instruments = serializers.ListField(
        child=serializers.CharField(max_length=32),
        min_length=1,
        max_length=MOST_INSTRUMENTS,
        help_text="Symbols or aliases: BTC/USD, BTCUSDT.",
    )
    exchange_id = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=HIGHEST_ID,
        help_text="Needed where several exchanges have the symbol.",
    )  # fmt: skip
    title = serializers.CharField(required=False, max_length=120, default="", allow_blank=True)
    start = Instant(help_text="The first moment; UTC where no zone is given.")
    end = Instant(help_text="Exclusive.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError({"end": "It must be later than start."})
        return attrs


class BacktestBody(StudyRequest):
    strategy = serializers.CharField(
        max_length=40, help_text="rsi, moving_average, ..., trend_rule or fused."
    )
    timeframe = serializers.ChoiceField(TIMEFRAMES, default="1h")
    parameters = serializers.DictField(
        child=serializers.FloatField(),
        required=False,
        default=dict,
        help_text="What differs from the defaults.",
    )
    cash = amount("10000", "0.01", "1000000000")
    sizing = serializers.ChoiceField([name for name, _ in SIZINGS], default="fraction")
    size = amount("0.1", "0.00000001", "1000000000", help_text="As a ratio, or units where sizing is fixed.")
    maker_bps = amount("10", "-1000", "1000")
    taker_bps = amount("10", "0", "1000")
    slippage_bps = amount("2", "0", "1000")
    shorts_on_spot = serializers.BooleanField(default=False)


class PortfolioBody(StudyRequest):
    timeframe = serializers.ChoiceField(TIMEFRAMES, default="1d")
    objective = serializers.ChoiceField([name for name, _ in OBJECTIVES], default="max_sharpe")
    low = serializers.FloatField(default=0.0, min_value=-1, max_value=1, help_text="Least weight.")
    high = serializers.FloatField(default=1.0, min_value=0, max_value=1, help_text="Greatest weight.")
    risk_free = serializers.FloatField(default=0.0, min_value=-1, max_value=1, help_text="A year.")
    target_return = serializers.FloatField(
        default=None, allow_null=True, min_value=-1, max_value=100, help_text="A year, at least."
    )
    target_risk = serializers.FloatField(
        default=None, allow_null=True, min_value=0, max_value=100, help_text="Volatility a year, at most."
    )
    shrink = serializers.BooleanField(default=True, help_text="Ledoit and Wolf.")


class StudyAccepted(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    job_id = serializers.UUIDField()
    state = serializers.ChoiceField(STATES)


class StudyProgress(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    message = serializers.CharField(allow_blank=True)


class StudySummary(StudyAccepted):
    title = serializers.CharField()
    created_at = serializers.DateTimeField()
    progress = StudyProgress()
    error = serializers.CharField(allow_null=True)


class StudyAnswer(StudySummary):
    parameters = serializers.JSONField()
    result = serializers.JSONField(
        allow_null=True, help_text="Measures and verdict; null before it succeeded."
    )


class StudyList(serializers.Serializer[Any]):
    results = StudySummary(many=True, help_text="The newest first, a hundred at most.")
