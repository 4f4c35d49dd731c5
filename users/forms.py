from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils import timezone

from users.engine.api_key import ApiScope
from users.engine.subscriber import AccountType
from users.models import ApiKey, Tier


class TierForm(forms.ModelForm):
    """A tier, its account types by checkboxes: a tier without one would send nothing to anybody."""

    account_types = forms.MultipleChoiceField(
        label="Account types",
        choices=[(kind.value, kind.value.title()) for kind in AccountType],
        widget=forms.CheckboxSelectMultiple,
        help_text="Account types that may use it.",
    )

    class Meta:
        model = Tier
        exclude: Sequence[str] = ()


class ApiKeyForm(forms.ModelForm):
    """A new key. Whose it is, is nobody's choice: whoever makes it answers for it."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value.title()) for scope in ApiScope],
        widget=forms.CheckboxSelectMultiple,
        help_text="Read: signals, candles, states. Trade: start and stop the autopilot. Train: models.",
    )

    class Meta:
        model = ApiKey
        fields = ["name", "tier", "scopes", "expires_at"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("tier") and set(cleaned.get("scopes", [])) - {ApiScope.READ.value}:
            raise forms.ValidationError("A key of a tier only reads: leave out trade and train, or the tier.")
        ends = cleaned.get("expires_at")
        if ends and ends <= timezone.now():
            self.add_error("expires_at", "The key would end before it begins.")
        return cleaned
