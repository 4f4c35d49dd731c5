"""What may be asked, and what comes back."""

import math
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from signals.engine.direction import Direction
from signals.engine.timeframe import Timeframe
from signals.models import SignalSource

HIGHEST_ID = 2**31 - 1
MOST_ROWS, USUAL_ROWS = 1_000, 100
MOST_CANDLES, USUAL_CANDLES = 10_000, 1_000
MOST_DAYS = 3_650
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
TIMEFRAMES = [timeframe.value for timeframe in Timeframe]


class Instant(serializers.DateTimeField):
    """Between the first and the last instant that anybody has candles of."""

    def to_internal_value(self, value: Any) -> datetime:
        found: datetime = super().to_internal_value(value)
        if not EARLIEST <= found <= LATEST:
            raise serializers.ValidationError(f"Between {EARLIEST:%Y} and {LATEST:%Y}.")
        return found


class MarketQuery(serializers.Serializer[Any]):
    symbol = serializers.CharField(
        required=False, max_length=32, help_text="Symbol or alias: BTC/USD, BTCUSDT."
    )
    exchange_id = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=HIGHEST_ID,
        help_text="Needed where several exchanges have the symbol.",
    )


class ListQuery(MarketQuery):
    limit = serializers.IntegerField(required=False, default=USUAL_ROWS, min_value=1, max_value=MOST_ROWS)
    cursor = serializers.CharField(
        required=False, max_length=64, help_text="`next` of the page before; with the same other parameters."
    )
    order = serializers.ChoiceField(
        ["newest", "oldest"],
        required=False,
        default="newest",
        help_text="oldest: for polling. `next` is always there, and going on from it misses nothing.",
    )
    since = Instant(required=False, help_text="From this instant on.")
    until = Instant(required=False, help_text="Before this instant.")
    strategy = serializers.CharField(required=False, max_length=40)
    direction = serializers.ChoiceField([each.value for each in Direction], required=False)


class SignalQuery(ListQuery):
    timeframe = serializers.ChoiceField(TIMEFRAMES, required=False)
    source = serializers.ChoiceField([each.value for each in SignalSource], required=False)  # type: ignore[assignment]  # the name of a column
    min_confidence = serializers.FloatField(required=False, min_value=0, max_value=1)

    def validate_min_confidence(self, value: float) -> float:
        if not math.isfinite(value):
            raise serializers.ValidationError("A number from 0 to 1.")
        return value


class OutcomeQuery(ListQuery):
    exit_reason = serializers.CharField(required=False, max_length=16)


class CandleQuery(serializers.Serializer[Any]):
    symbol = serializers.CharField(max_length=32, help_text="Symbol or alias: BTC/USD, BTCUSDT.")
    exchange_id = serializers.IntegerField(required=False, min_value=1, max_value=HIGHEST_ID)
    timeframe = serializers.ChoiceField(TIMEFRAMES, required=False, default=Timeframe.H1.value)
    start = Instant(required=False, help_text="Opening of the first; without it, the newest.")
    end = Instant(required=False, help_text="Before this instant; without it, until now.")
    limit = serializers.IntegerField(
        required=False, default=USUAL_CANDLES, min_value=1, max_value=MOST_CANDLES
    )
    file = serializers.ChoiceField(["json", "parquet"], required=False, default="json")


class PerformanceQuery(MarketQuery):
    days = serializers.IntegerField(required=False, default=90, min_value=1, max_value=MOST_DAYS)


class InstrumentAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    symbol = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    base = serializers.CharField()
    quote = serializers.CharField()
    exchange_id = serializers.IntegerField()
    exchange = serializers.CharField()
    asset_class = serializers.CharField()
    market_type = serializers.CharField()
    is_active = serializers.BooleanField()
    is_simulated = serializers.BooleanField()


class InstrumentsAnswer(serializers.Serializer[Any]):
    results = InstrumentAnswer(many=True)


class CandlesAnswer(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    exchange_id = serializers.IntegerField()
    timeframe = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())
    candles = serializers.ListField(
        child=serializers.ListField(), help_text="[open_time, open, high, low, close, volume], oldest first."
    )
    next = serializers.DateTimeField(allow_null=True, help_text="`start` of the next page.")


class SignalAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    exchange_id = serializers.IntegerField()
    symbol = serializers.CharField()
    timeframe = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # the name of a column
    strategy = serializers.CharField()
    direction = serializers.CharField()
    confidence = serializers.FloatField()
    entry_price = serializers.FloatField()
    stop_loss = serializers.FloatField()
    take_profit = serializers.FloatField()
    reasons = serializers.ListField(child=serializers.CharField())
    experimental = serializers.BooleanField()
    sessions = serializers.ListField(child=serializers.CharField())
    candle_open_time = serializers.DateTimeField()
    published_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class ReceiptAnswer(serializers.Serializer[Any]):
    type = serializers.CharField()
    version = serializers.IntegerField()
    payload = serializers.DictField(help_text="The signal as the ledger holds it.")
    salt = serializers.CharField()
    path = serializers.ListField(child=serializers.CharField(), help_text="Audit path to the head's root.")
    head = serializers.DictField(help_text="The signed head.")


class SignalsAnswer(serializers.Serializer[Any]):
    results = SignalAnswer(many=True)
    next = serializers.CharField(allow_null=True)


class OutcomeAnswer(serializers.Serializer[Any]):
    signal_id = serializers.UUIDField()
    exchange_id = serializers.IntegerField()
    symbol = serializers.CharField()
    strategy = serializers.CharField()
    direction = serializers.CharField()
    exit_reason = serializers.CharField()
    entered_at = serializers.DateTimeField()
    exited_at = serializers.DateTimeField()
    entry_price = serializers.FloatField()
    exit_price = serializers.FloatField()
    return_ratio = serializers.FloatField()
    r_multiple = serializers.FloatField()
    best_r = serializers.FloatField()
    worst_r = serializers.FloatField()
    bars_held = serializers.IntegerField()
    is_ambiguous = serializers.BooleanField()
    recorded_at = serializers.DateTimeField()


class OutcomesAnswer(serializers.Serializer[Any]):
    results = OutcomeAnswer(many=True)
    next = serializers.CharField(allow_null=True)


class TradeAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    signal_id = serializers.UUIDField(allow_null=True)
    exchange_id = serializers.IntegerField()
    symbol = serializers.CharField()
    strategy = serializers.CharField()
    direction = serializers.CharField()
    quantity = serializers.CharField()
    entry_price = serializers.CharField()
    exit_price = serializers.CharField()
    fees = serializers.CharField()
    funding = serializers.CharField()
    net_profit = serializers.CharField()
    r_multiple = serializers.FloatField(allow_null=True)
    exit_reason = serializers.CharField()
    is_ambiguous = serializers.BooleanField()
    entered_at = serializers.DateTimeField()
    exited_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()


class TradesAnswer(serializers.Serializer[Any]):
    results = TradeAnswer(many=True)
    next = serializers.CharField(allow_null=True)


class RecordAnswer(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    hit_rate = serializers.FloatField(allow_null=True)
    hit_rate_interval = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    mean_r = serializers.FloatField(allow_null=True)
    mean_r_interval = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    total_r = serializers.FloatField(allow_null=True)
    profit_factor = serializers.FloatField(allow_null=True)


class StrategyRecordAnswer(RecordAnswer):
    strategy = serializers.CharField()


class PerformanceAnswer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    days = serializers.IntegerField()
    overall = RecordAnswer()
    strategies = StrategyRecordAnswer(many=True)
