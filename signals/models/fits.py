"""What decisions read besides candles: fitted daily, each from the past only."""

from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models

from signals.engine.standing import standing
from signals.engine.volatility_model import VolatilityModel
from signals.market.models import TIMEFRAME_CHOICES, Instrument

REFRESHED_AFTER = timedelta(days=1)
USABLE_FOR = timedelta(days=7)


class FittedQuerySet(models.QuerySet[Any]):
    def known_at(self, as_of: datetime) -> Self:
        """Those that were made by then: what came later is the future."""
        return self.filter(known_at__lte=as_of)


class Fitted(models.Model):
    """What was made from the past, and is nobody's knowledge before `known_at`."""

    known_at = models.DateTimeField(
        help_text="The exchange's time when it was made: no earlier close knows it."
    )

    objects = FittedQuerySet.as_manager()

    class Meta:
        abstract = True


class InstrumentFitQuerySet(FittedQuerySet):
    def newest(self, *, instrument_id: int, timeframe: str, as_of: datetime) -> Any:
        """The newest of one instrument that was known at `as_of`, or None."""

        def fits() -> "InstrumentFitQuerySet":
            return self.filter(instrument_id=instrument_id, timeframe=timeframe)

        return standing(
            (self.model, instrument_id, timeframe),
            as_of,
            changes=lambda: fits().values_list("known_at", flat=True),
            ask=lambda: fits().known_at(as_of).order_by("-fitted_through").first(),
        )


class InstrumentFit(Fitted):
    """One fit for one instrument on the candles up to `fitted_through`; added daily."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="%(class)s_set")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    fitted_through = models.DateTimeField(help_text="Close of the last candle that it has seen.")
    fitted_at = models.DateTimeField()

    objects = InstrumentFitQuerySet.as_manager()  # type: ignore[misc]  # narrower than the base's

    class Meta:
        abstract = True
        ordering = ["-fitted_through", "instrument"]
        get_latest_by = "fitted_through"

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.fitted_through:%Y-%m-%d}"

    def is_due_again(self, as_of: datetime) -> bool:
        return as_of - self.fitted_through >= REFRESHED_AFTER

    def is_too_old(self, as_of: datetime) -> bool:
        return as_of - self.fitted_through > USABLE_FOR


class VolatilityFit(InstrumentFit):
    """Parameters of the volatility models."""

    returns_used = models.PositiveIntegerField()
    chosen = models.CharField(max_length=5, choices=[(m.value, m.value.upper()) for m in VolatilityModel])
    qlike = models.JSONField(help_text="Loss out of sample by model, lower is better; absent: not judged.")
    garch = models.JSONField(null=True, help_text="Empty: no usable estimate (fallback).")
    har = models.JSONField(null=True, help_text="Empty: too few candles.")

    class Meta(InstrumentFit.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_volatility_fitted_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.chosen}"


class AnomalyForest(InstrumentFit):
    """An isolation forest; deleted when out of use."""

    rows_used = models.PositiveIntegerField()
    arrays = models.BinaryField(help_text="An npz file, read with allow_pickle=False.")
    sha256 = models.CharField(max_length=64, help_text="Of `arrays`, checked whenever they are read.")

    class Meta(InstrumentFit.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_forest_fitted_once"
            ),
        ]


class PartnerChoice(InstrumentFit):
    """The instrument that another one moved with most."""

    partner = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, null=True, related_name="+", help_text="Empty: it moves alone."
    )
    correlation = models.FloatField(null=True, help_text="Of log returns, over 90 days of hours.")

    class Meta(InstrumentFit.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_partner_chosen_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.partner or 'nobody'}"


class PolicyChoice(InstrumentFit):
    """Which policy speaks for an instrument, PPO or DQN, on what record; empty: neither."""

    kind = models.CharField(max_length=32, blank=True, help_text="Empty: neither passes, both are silent.")
    weight = models.FloatField(default=0.0, help_text="What it adds to the rules out of sample, 0 to 1.")
    records = models.JSONField(help_text="Of each kind on the same recent bars.")

    class Meta(InstrumentFit.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_policy_chosen_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.kind or 'neither'}"
