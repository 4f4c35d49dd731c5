"""Long work, what staff and the machine did, and trained models."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from signals.admin.export import ExportedAdmin
from signals.admin.read_only import ReadOnlyAdmin
from signals.models import Action, Job, TrainedModel

JOB_LABELS = {
    "Queued": "info",
    "Running": "primary",
    "Succeeded": "success",
    "Failed": "danger",
    "Cancelled": "warning",
}
MODEL_LABELS = {"Candidate": "info", "Champion": "success", "Retired": "warning", "Rejected": "danger"}


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "shown_state", "shown_progress", "message", "owner", "ended_at"]
    first_row = (
        "The first comes with the first long piece of work: a replay, a backfill, an import, a training."
    )
    list_filter = ["state", "kind", "queue"]
    search_fields = ["id", "kind", "owner", "error"]
    search_help_text = "Id, kind, owner or error"
    date_hierarchy = "created_at"

    @display(description="State", ordering="state", label=JOB_LABELS)
    def shown_state(self, job: Job) -> str:
        return job.get_state_display()

    @display(description="Progress")
    def shown_progress(self, job: Job) -> str:
        return "–" if job.progress_ratio is None else f"{job.progress_ratio:.0%}"


def change_words(name: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """One field's line, e.g. `state armed → engaged`."""
    new = shown(after[name]) if name in after else "nothing"
    return f"{name} {shown(before[name])} → {new}" if name in before else f"{name} {new}"


def shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@admin.register(Action)
class ActionAdmin(ExportedAdmin):
    """Everything that staff or the machine decided."""

    list_display = ["at", "actor", "what", "target", "change", "address"]
    first_row = "The first comes when somebody, or the machine, decides something: a log-in, a switch, a model, a key."
    list_filter = ["what", "actor", ("at", admin.DateFieldListFilter)]
    search_fields = ["actor", "what", "target", "address"]
    search_help_text = "Actor, what was done, to what, or the address it came from"
    date_hierarchy = "at"

    @display(description="Before → after")
    def change(self, action: Action) -> str:
        """Only what differs."""
        before, after = action.before or {}, action.after or {}
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return "; ".join(change_words(name, before, after) for name in names) or "–"


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    list_display = ["trained_at", "kind", "scope", "shown_state", "promoted_at", "reason"]
    first_row = "The first comes when a training has ended."
    list_filter = ["state", "kind"]
    list_select_related = ["job"]
    search_fields = ["kind", "scope", "sha256", "reason"]
    date_hierarchy = "trained_at"
    exclude = ["payload"]

    @display(description="State", ordering="state", label=MODEL_LABELS)
    def shown_state(self, model: TrainedModel) -> str:
        return model.get_state_display()

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainedModel]:
        return super().get_queryset(request).defer("payload")
