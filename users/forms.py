from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils import timezone

from users.engine.api_key import ApiScope
from users.engine.subscriber import AccountType
from users.models import ApiKey, Invitation, Tier


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


class InvitationForm(forms.ModelForm):
    """A new invitation; its code is made when it is saved."""

    class Meta:
        model = Invitation
        fields = ["name", "tier", "most_uses", "expires_at", "days", "is_trial"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("expires_at") and cleaned["expires_at"] <= timezone.now():
            self.add_error("expires_at", "It would end before it begins.")
        if cleaned.get("is_trial") and not cleaned.get("days"):
            self.add_error("days", "A trial has an end: say how many days.")
        return cleaned


class ChangeTierForm(forms.Form):
    """A tier for many at once, and why."""

    tier = forms.ModelChoiceField(queryset=Tier.objects.order_by("rank"))
    why = forms.CharField(max_length=200, label="Why", help_text="Stands in the history of each.")


class ImportForm(forms.Form):
    """A file of subscribers. A dry run is the rule."""

    file = forms.FileField(help_text="CSV in UTF-8, at most 1 MB.")
    why = forms.CharField(max_length=200, label="Why", help_text="Stands in the history of each.")
    dry_run = forms.BooleanField(
        required=False, initial=True, label="Dry run", help_text="Check every line and write nothing."
    )
