"""What people may set on the autopilot's pages."""

from django import forms

from autopilot.engine.cycle import LONGEST_INTERVAL, SHORTEST_INTERVAL, Mode
from autopilot.models import BootstrapConfig
from signals.market.models import TIMEFRAME_CHOICES, Instrument


class BootstrapConfigForm(forms.ModelForm):
    """The settings of training; what is valid is judged once more by the service that stores them."""

    class Meta:
        model = BootstrapConfig
        fields = ["symbols", "timeframe", "days", "min_samples_per_strategy", "sampling"]
        labels = {
            "symbols": "Instruments",
            "days": "Days of history",
            "min_samples_per_strategy": "Fewest trades of a strategy",
            "sampling": "Samples",
        }


class StartForm(forms.Form):
    """What an autopilot is started with; the service that starts it judges it once more."""

    instrument = forms.ModelChoiceField(
        Instrument.objects.active().select_related("exchange"), empty_label="Choose one"
    )
    timeframe = forms.ChoiceField(choices=TIMEFRAME_CHOICES, initial="1h")
    mode = forms.ChoiceField(
        choices=[
            (Mode.ML.value, "ML: the model chooses the group"),
            (Mode.PATTERN.value, "Pattern: rules choose it"),
            (Mode.HYBRID.value, "Hybrid: the model where it suits the market, else rules"),
        ],
        initial=Mode.ML.value,
    )
    min_confidence_threshold = forms.FloatField(
        label="Threshold",
        min_value=0,
        max_value=1,
        initial=0.75,
        help_text="Probability of profit after costs from which a signal is published.",
        widget=forms.NumberInput(attrs={"step": "0.001"}),
    )
    interval_seconds = forms.IntegerField(
        label="Interval",
        min_value=SHORTEST_INTERVAL,
        max_value=LONGEST_INTERVAL,
        initial=60,
        help_text="Seconds.",
    )
    max_trades_per_day = forms.IntegerField(label="Trades a day", min_value=0, max_value=1000, initial=10)
    hold_bars = forms.IntegerField(
        label="Held at most", min_value=1, max_value=1000, initial=24, help_text="Candles."
    )
    auto_execute = forms.BooleanField(
        label="Let orders follow its signals",
        required=False,
        help_text="Without it, it only publishes signals.",
    )
    confirmed = forms.BooleanField(
        label="I confirm: orders on paper are placed without being asked", required=False
    )
