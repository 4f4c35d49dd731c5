"""Replays, and the registry of trials: to be read, never edited."""

from django.contrib import admin
from unfold.decorators import display

from research.models import ReplayRun, ReplaySignal, Study, Trial
from signals.admin import DIRECTION_LABELS, ReadOnlyAdmin


@admin.register(ReplayRun)
class ReplayRunAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "start", "end", "outcomes", "started_at", "finished_at"]
    search_fields = ["pk"]
    date_hierarchy = "started_at"


@admin.register(ReplaySignal)
class ReplaySignalAdmin(ReadOnlyAdmin):
    list_display = [
        "run",
        "instrument",
        "shown_direction",
        "confidence",
        "entry_price",
        "stop_loss",
        "take_profit",
        "published_at",
    ]
    list_filter = ["direction", "instrument", "strategy", "run"]
    list_select_related = ["run", "instrument"]
    search_fields = ["instrument__symbol", "strategy"]
    date_hierarchy = "published_at"

    @display(description="Direction", ordering="direction", label=DIRECTION_LABELS)
    def shown_direction(self, signal: ReplaySignal) -> str:
        return signal.get_direction_display()


@admin.register(Study)
class StudyAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "objective", "timeframe", "dataset_hash", "created_by"]
    list_filter = ["timeframe", "objective"]
    search_fields = ["=dataset_hash", "objective"]
    date_hierarchy = "created_at"


@admin.register(Trial)
class TrialAdmin(ReadOnlyAdmin):
    """Deleted ones are shown here as well: they count."""

    list_display = [
        "pk",
        "study",
        "state",
        "score",
        "sharpe_ratio",
        "observations",
        "owner",
        "started_at",
        "deleted_at",
    ]
    list_filter = ["state"]
    list_select_related = ["study"]
    search_fields = ["=combination", "owner", "error"]
    date_hierarchy = "started_at"
