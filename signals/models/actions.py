"""Who did what: the audit record of everything that a person or a job changed."""

import pgtrigger
from django.db import models

from signals.models.truncation import never_truncated


class Action(models.Model):
    """One entry; rows are only ever added. The actor stands in words, so that the entry survives them."""

    actor = models.CharField(max_length=150)
    what = models.CharField(max_length=64, help_text="For example kill_switch.engaged, model.promoted.")
    target = models.CharField(max_length=200)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    address = models.CharField(max_length=64, blank=True, help_text="Where the request came from.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["what", "-at"], name="signals_action_by_what")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_truncated("no_truncate", "the record of actions cannot be truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.target} by {self.actor}"
