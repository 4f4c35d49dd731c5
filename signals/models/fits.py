"""What decisions read besides candles: fitted daily, each from the past only."""

from django.db import models

from signals.engine.volatility import VolatilityModel
from signals.market.models import TIMEFRAME_CHOICES, Instrument


class VolatilityFit(models.Model):
    """Parameters of the volatility models as fitted on the candles up to `fitted_through`; added daily."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="volatility_fits")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    fitted_through = models.DateTimeField(help_text="Close of the last candle that it has seen.")
    known_at = models.DateTimeField(
        help_text="The exchange's time when it was made: no earlier close knows it."
    )
    fitted_at = models.DateTimeField()
    returns_used = models.PositiveIntegerField()
    chosen = models.CharField(max_length=5, choices=[(m.value, m.value.upper()) for m in VolatilityModel])
    qlike = models.JSONField(help_text="Loss out of sample by model, lower is better; absent: not judged.")
    garch = models.JSONField(null=True, help_text="Empty: no usable estimate (fallback).")
    har = models.JSONField(null=True, help_text="Empty: too few candles.")

    class Meta:
        ordering = ["-fitted_through", "instrument"]
        get_latest_by = "fitted_through"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_volatility_fitted_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.fitted_through:%Y-%m-%d}: {self.chosen}"


class AnomalyForest(models.Model):
    """An isolation forest grown on the candles up to `fitted_through`; added daily, deleted when out of use."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="anomaly_forests")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    fitted_through = models.DateTimeField(help_text="Close of the last candle that it has seen.")
    known_at = models.DateTimeField(
        help_text="The exchange's time when it was made: no earlier close knows it."
    )
    fitted_at = models.DateTimeField()
    rows_used = models.PositiveIntegerField()
    arrays = models.BinaryField(help_text="An npz file, read with allow_pickle=False.")
    sha256 = models.CharField(max_length=64, help_text="Of `arrays`, checked whenever they are read.")

    class Meta:
        ordering = ["-fitted_through", "instrument"]
        get_latest_by = "fitted_through"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "fitted_through"], name="signals_forest_fitted_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.timeframe} {self.fitted_through:%Y-%m-%d}"


class PartnerChoice(models.Model):
    """The instrument that another one moved with most, by the candles up to `chosen_through`; added daily."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="partner_choices")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    partner = models.ForeignKey(
        Instrument, on_delete=models.CASCADE, null=True, related_name="+", help_text="Empty: it moves alone."
    )
    correlation = models.FloatField(null=True, help_text="Of log returns, over 90 days of hours.")
    chosen_through = models.DateTimeField(help_text="Close of the last candle that was compared.")
    known_at = models.DateTimeField(
        help_text="The exchange's time when it was made: no earlier close knows it."
    )
    chosen_at = models.DateTimeField()

    class Meta:
        ordering = ["-chosen_through", "instrument"]
        get_latest_by = "chosen_through"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "chosen_through"], name="signals_partner_chosen_once"
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.instrument} {self.timeframe} {self.chosen_through:%Y-%m-%d}: {self.partner or 'nobody'}"
        )
