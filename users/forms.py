from collections.abc import Sequence

from django import forms

from users.engine.subscriber import AccountType
from users.models import Tier


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
