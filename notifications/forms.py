from django import forms

from notifications.models import DeliveryKind
from signals.models import Signal
from users.models import Subscriber


class WhyNotForm(forms.Form):
    """Which signal, which subscriber."""

    signal = forms.ModelChoiceField(
        queryset=Signal.objects.with_instrument(),
        to_field_name="ledger_entry",
        widget=forms.NumberInput,
        label="Signal number",
        help_text="Its position in the ledger, first column of the list of signals.",
        error_messages={"invalid_choice": "There is no signal with this number."},
    )
    subscriber = forms.ModelChoiceField(queryset=Subscriber.objects.select_related("tier"))


class PreviewForm(WhyNotForm):
    """Which message of a signal."""

    kind = forms.TypedChoiceField(
        choices=DeliveryKind.choices, coerce=DeliveryKind, initial=DeliveryKind.SIGNAL, label="Message"
    )
