from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from notifications.clients.address import AddressRefusedError, require_allowed_url
from notifications.models import DeliveryKind, DeliveryPreference, WebhookEndpoint
from notifications.services.starvation import session_count
from signals.engine.session import TradingSession
from signals.models import Signal
from users.models import ApiKey, Subscriber

SIGNALS_LISTED = 200


class PreferenceForm(forms.ModelForm):
    """What to send, and when: sessions by checkboxes, as many as the tier has."""

    sessions = forms.MultipleChoiceField(
        choices=[(session.value, session.value.replace("_", " ").title()) for session in TradingSession],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="A tier with every hour needs none; with another, no more than its number may be chosen.",
    )

    class Meta:
        model = DeliveryPreference
        exclude: Sequence[str] = ()


class PreferenceFormSet(forms.BaseInlineFormSet):
    def clean(self) -> None:
        """The tier is the subscriber's, which is saved with it."""
        super().clean()
        tier = self.instance.tier if self.instance.tier_id else None
        most = tier.max_sessions if tier else None
        for form in self.forms:
            chosen = form.cleaned_data.get("sessions", []) if form.is_valid() else []
            if tier and most is not None and len(chosen) > most:
                form.add_error(
                    "sessions",
                    f"{tier} has {session_count(most)}, and {len(chosen)} are chosen: untick some.",
                )


class NewestSignals(forms.models.ModelChoiceIterator):
    """The newest ones as choices; an older one is still taken by its number in the address."""

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        yield ("", "Choose a signal")
        for signal in self.queryset[:SIGNALS_LISTED]:
            yield self.choice(signal)


class SignalField(forms.ModelChoiceField):
    iterator = NewestSignals

    def label_from_instance(self, signal: Signal) -> str:
        return (
            f"{signal.published_at:%Y-%m-%d %H:%M} {signal.direction.upper()} {signal.instrument}, "
            f"{signal.timeframe}, number {signal.sequence}"
        )


class WhyNotForm(forms.Form):
    """Which signal, which subscriber."""

    signal = SignalField(
        queryset=Signal.objects.with_instrument(),
        to_field_name="ledger_entry",
        help_text=f"The newest {SIGNALS_LISTED}, times in UTC.",
        error_messages={"invalid_choice": "There is no signal with this number."},
    )
    subscriber = forms.ModelChoiceField(queryset=Subscriber.objects.select_related("tier"))


class PreviewForm(WhyNotForm):
    """Which message of a signal."""

    kind = forms.TypedChoiceField(
        choices=DeliveryKind.choices, coerce=DeliveryKind, initial=DeliveryKind.SIGNAL, label="Message"
    )


class WebhookForm(forms.ModelForm):
    """Where to, and of what."""

    kinds = forms.MultipleChoiceField(
        choices=DeliveryKind.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="A signal when it is released for the key's tier, an outcome when it is recorded, as late.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["name", "api_key", "url", "kinds", "is_active"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            require_allowed_url(url, loopback=settings.SANDBOX)
        except AddressRefusedError as error:
            raise forms.ValidationError(f"No webhook can go there: {error}.") from error
        return url

    def clean_api_key(self) -> ApiKey:
        key: ApiKey = self.cleaned_data["api_key"]
        if not key.is_open(timezone.now()):
            raise forms.ValidationError("This key has ended: take another one.")
        return key
