"""What people may set on the autopilot's pages."""

from django import forms

from autopilot.models import BootstrapConfig


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
