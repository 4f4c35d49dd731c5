"""What is sent and what comes back, by the seed's names."""

import math
from typing import Any

from rest_framework import serializers

from autopilot.engine.cycle import LONGEST_INTERVAL, SHORTEST_INTERVAL, Mode
from autopilot.engine.sampling import Sampling
from autopilot.models.bootstrap_config import (
    FEWEST_DAYS,
    FEWEST_SAMPLES,
    MOST_DAYS,
    MOST_SAMPLES,
    MOST_SYMBOLS,
    BootstrapConfig,
)
from autopilot.services.instances import MOST_TRADES
from signals.engine.timeframe import Timeframe

HIGHEST_ID = 2**31 - 1
LONGEST_SYMBOL = 32
TIMEFRAMES = [timeframe.value for timeframe in Timeframe]
STATES = ["PENDING", "STARTED", "PROGRESS", "SUCCESS", "FAILURE", "REVOKED"]


class FiniteFloat(serializers.FloatField):
    """No NaN, which passes every comparison with a bound."""

    def to_internal_value(self, data: Any) -> float:
        value = float(super().to_internal_value(data))
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class Symbol(serializers.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_SYMBOL, **options)


def exchange_field() -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=HIGHEST_ID,
        help_text="Needed where several exchanges have the symbol.",
    )


class StartRequest(serializers.Serializer[Any]):
    symbol = Symbol(help_text="Symbol or alias: BTC/USD, BTC-USD, BTCUSDT.")
    exchange_id = exchange_field()
    timeframe = serializers.ChoiceField(TIMEFRAMES, default=Timeframe.H1.value)
    interval = serializers.IntegerField(
        default=60, min_value=SHORTEST_INTERVAL, max_value=LONGEST_INTERVAL, help_text="Seconds."
    )
    paper_trading = serializers.BooleanField(default=True)
    min_confidence_threshold = FiniteFloat(default=0.75, min_value=0, max_value=1)
    max_trades_per_day = serializers.IntegerField(default=10, min_value=1, max_value=MOST_TRADES)
    auto_execute = serializers.BooleanField(default=False)
    confirmed = serializers.BooleanField(
        default=False, help_text="That orders may follow signals by themselves: auto_execute needs it."
    )
    mode = serializers.ChoiceField([mode.value for mode in Mode], default=Mode.ML.value)


class StartAnswer(serializers.Serializer[Any]):
    instance_id = serializers.IntegerField()
    symbol = serializers.CharField()
    exchange_id = serializers.IntegerField()
    timeframe = serializers.CharField()
    interval = serializers.IntegerField()
    paper_trading = serializers.BooleanField()
    min_confidence_threshold = serializers.FloatField()
    max_trades_per_day = serializers.IntegerField()
    auto_execute = serializers.BooleanField()
    mode = serializers.CharField()
    state = serializers.CharField()


class StopRequest(serializers.Serializer[Any]):
    symbol = Symbol()
    exchange_id = exchange_field()
    timeframe = serializers.ChoiceField(
        TIMEFRAMES, required=False, allow_null=True, help_text="Without it, all of them stop."
    )


class StopAnswer(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    exchange_id = serializers.IntegerField()
    timeframe = serializers.CharField(allow_null=True)
    running = serializers.BooleanField()
    stopped = serializers.IntegerField(help_text="How many were stopped now.")


class StatusQuery(serializers.Serializer[Any]):
    exchange_id = exchange_field()
    timeframe = serializers.ChoiceField(TIMEFRAMES, required=False)


class StatusAnswer(serializers.Serializer[Any]):
    running = serializers.BooleanField()
    symbol = serializers.CharField()
    exchange_id = serializers.IntegerField()
    timeframe = serializers.CharField(allow_null=True)
    last_analysis_at = serializers.DateTimeField(allow_null=True)
    selected_strategy = serializers.CharField(allow_null=True)
    score = serializers.FloatField(allow_null=True)
    trades_today = serializers.IntegerField()
    next_run_at = serializers.DateTimeField(allow_null=True)


class BootstrapAnswer(serializers.ModelSerializer[BootstrapConfig]):
    class Meta:
        model = BootstrapConfig
        fields = ["days", "timeframe", "min_samples_per_strategy", "symbols", "sampling"]


class BootstrapRequest(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    days = serializers.IntegerField(required=False, min_value=FEWEST_DAYS, max_value=MOST_DAYS)
    timeframe = serializers.ChoiceField(TIMEFRAMES, required=False)
    min_samples_per_strategy = serializers.IntegerField(
        required=False, min_value=FEWEST_SAMPLES, max_value=MOST_SAMPLES
    )
    symbols = serializers.ListField(child=Symbol(), required=False, min_length=1, max_length=MOST_SYMBOLS)
    sampling = serializers.ChoiceField([each.value for each in Sampling], required=False)


class RetrainAnswer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField()


class Progress(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    ratio = serializers.FloatField(allow_null=True, help_text="0 to 1.")
    message = serializers.CharField(allow_blank=True)


class TaskError(serializers.Serializer[Any]):
    message = serializers.CharField()
    trace = serializers.CharField(allow_blank=True)


class TaskAnswer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(STATES)
    progress = Progress()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    metrics = serializers.JSONField(allow_null=True, help_text="What came of it; null before SUCCESS.")
    error = TaskError(allow_null=True)


class ModelAnswer(serializers.Serializer[Any]):
    is_trained = serializers.BooleanField(help_text="Whether a model decides; if not, rules do.")
    reason = serializers.CharField(help_text="Why it decides, or why none does.")
    model_id = serializers.IntegerField(allow_null=True)
    state = serializers.CharField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)
    trained_at = serializers.DateTimeField(allow_null=True)
    promoted_at = serializers.DateTimeField(allow_null=True)
    data_from = serializers.DateTimeField(allow_null=True)
    data_to = serializers.DateTimeField(allow_null=True)
    code_version = serializers.CharField(allow_null=True)
    metrics = serializers.JSONField(allow_null=True)
    feature_schema = serializers.JSONField(allow_null=True)


class ResetAnswer(serializers.Serializer[Any]):
    was_trained = serializers.BooleanField(help_text="Whether a model decided until now.")
    retired_model_id = serializers.IntegerField(allow_null=True)
