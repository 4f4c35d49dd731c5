"""Where the stop of a managed signal stood after each close that moved it."""

import pgtrigger
from django.db import models

from signals.models.signal import Signal


class StopRaise(models.Model):
    """The stop that acts from the bar after `candle_open_time` on; written once, when that candle had closed."""

    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="stop_raises")
    candle_open_time = models.DateTimeField(help_text="The closed candle that raised it.")
    stop = models.FloatField()
    passes_entry = models.BooleanField(help_text="It stands on the gaining side of the entry.")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-candle_open_time", "signal"]
        constraints = [
            models.UniqueConstraint(
                fields=["signal", "candle_open_time"], name="signals_stop_raise_once_per_candle"
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.signal}: stop {self.stop:g}"
