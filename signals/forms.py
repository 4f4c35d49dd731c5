from django import forms

from signals.models import KillSwitch


class KillSwitchForm(forms.ModelForm):
    """Why the switch is to change."""

    class Meta:
        model = KillSwitch
        fields = ["reason"]
        widgets = {"reason": forms.TextInput(attrs={"size": 60, "autocomplete": "off"})}
        error_messages = {"reason": {"required": "Say why: the reason goes on record."}}
