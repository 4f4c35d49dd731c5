"""What the archive is narrowed by."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.timezone import make_aware

from research.selectors.archive_kinds import Kind
from signals.engine.exit_reason import ExitReason
from signals.engine.session import TradingSession
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Signal, SignalSource, with_words

ANY = [("", "any")]
RESULTS = (("win", "gained"), ("loss", "lost"), ("open", "open"))


def _choice(label: str, choices: Any, help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[*ANY, *choices], required=False, help_text=help_text)


class ArchiveFilter(forms.Form):
    """Every field may be left out; what cannot be read is told and narrows nothing."""

    text = forms.CharField(
        label="In the reasons",
        required=False,
        max_length=100,
        help_text="Words in this order; the last may be a beginning.",
    )
    instrument = forms.ModelChoiceField(
        Instrument.objects.select_related("exchange"), required=False, empty_label="any"
    )
    strategy = forms.CharField(required=False, max_length=40)
    source = _choice("Source", SignalSource.choices)
    variant = forms.CharField(label="Variant of a test", required=False, max_length=32)
    direction = _choice("Direction", [("long", "long"), ("short", "short")])
    timeframe = _choice("Timeframe", [(each.value, each.value) for each in Timeframe])
    session = _choice("Session", [(each.value, each.value.replace("_", " ")) for each in TradingSession])
    result = _choice("Result", RESULTS)
    exit = _choice("Ended by", [(each.value, each.value) for each in ExitReason])
    confidence = forms.FloatField(label="Confidence at least", required=False, min_value=0, max_value=1)
    start = forms.DateField(
        label="Published from", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    end = forms.DateField(
        label="Published until", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def narrowed(self) -> QuerySet[Signal]:
        self.is_valid()
        found: QuerySet[Signal] = Signal.objects.all()
        for condition in self._conditions(self.cleaned_data):
            found = found.filter(condition)
        return found.order_by("-ledger_entry_id")

    def _conditions(self, asked: dict[str, Any]) -> list[Any]:
        equal = ("instrument", "strategy", "source", "variant", "direction", "timeframe")
        found: list[Any] = [Q(**{name: asked[name]}) for name in equal if asked.get(name)]
        if asked.get("session"):
            found.append(Q(sessions__contains=[asked["session"]]))
        if asked.get("exit"):
            found.append(Q(outcome__exit_reason=asked["exit"]))
        if asked.get("confidence") is not None:
            found.append(Q(confidence__gte=asked["confidence"]))
        if asked.get("start"):
            found.append(Q(published_at__gte=_midnight(asked["start"])))
        if asked.get("end"):
            found.append(Q(published_at__lt=_midnight(asked["end"]) + timedelta(days=1)))
        if asked.get("text"):
            found.append(with_words(Signal, asked["text"]))
        results = {
            "win": Q(outcome__r_multiple__gt=0),
            "loss": Q(outcome__r_multiple__lte=0),
            "open": Q(outcome=None),
        }
        return [*found, results[asked["result"]]] if asked.get("result") else found


class KindFilter(forms.Form):
    """Of orders, trades or decisions; a value narrows to what equals it, text to what holds it."""

    text = forms.CharField(required=False, max_length=100)
    start = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label="Until", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label = f"In the {kind.text.replace('_', ' ')}"
        for name in kind.choices:
            self.fields[name] = forms.CharField(
                label=name.replace("_", " ").capitalize(), required=False, max_length=100
            )

    def asked(self) -> dict[str, Any]:
        """What cannot be read is told and narrows nothing."""
        self.is_valid()
        return self.cleaned_data


def _midnight(day: Any) -> datetime:
    return make_aware(datetime.combine(day, time()))
