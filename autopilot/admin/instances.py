"""Autopilots and every decision that they took: to be read, filtered and exported. Pages start and stop them."""

from datetime import datetime

from django.contrib import admin
from unfold.decorators import display

from autopilot.models import Decision, Instance
from signals.admin.export import ExportedAdmin
from signals.admin.read_only import DIRECTION_LABELS

STATE_LABELS = {"Running": "success", "Paused": "warning", "Stopped": "info"}
OUTCOME_LABELS = {
    "Ordered": "success",
    "Signal": "success",
    "Order refused": "warning",
    "Refused": "warning",
    "Frozen": "danger",
    "Failed": "danger",
}


def minute_of(moment: datetime | None) -> str:
    return f"{moment:%d %b %H:%M}" if moment else "–"


@admin.register(Instance)
class InstanceAdmin(ExportedAdmin):
    list_display = [
        "instrument",
        "timeframe",
        "mode",
        "shown_state",
        "auto_execute",
        "shown_threshold",
        "shown_strategy",
        "shown_score",
        "shown_analysis",
        "shown_next_run",
    ]
    list_filter = ["state", "mode", "auto_execute", "timeframe", "instrument"]
    list_select_related = ["instrument", "account"]
    search_fields = ["instrument__symbol", "label", "started_by"]
    first_row = "It comes with the first autopilot that is started."

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown_state(self, instance: Instance) -> str:
        return instance.get_state_display()

    @display(description="Threshold", ordering="min_confidence_threshold")
    def shown_threshold(self, instance: Instance) -> str:
        return f"{instance.min_confidence_threshold:.1%}"

    @display(description="Strategy", ordering="selected_strategy")
    def shown_strategy(self, instance: Instance) -> str:
        return instance.selected_strategy.replace("_", " ")

    @display(description="Analysed", ordering="last_analysis_at")
    def shown_analysis(self, instance: Instance) -> str:
        return minute_of(instance.last_analysis_at)

    @display(description="Next run", ordering="next_run_at")
    def shown_next_run(self, instance: Instance) -> str:
        return minute_of(instance.next_run_at)

    @display(description="Score", ordering="score")
    def shown_score(self, instance: Instance) -> str:
        return "–" if instance.score is None else f"{instance.score:.3f}"


@admin.register(Decision)
class DecisionAdmin(ExportedAdmin):
    list_display = [
        "decided_at",
        "instance",
        "shown_outcome",
        "regime",
        "strategy",
        "shown_direction",
        "shown_score",
        "is_fallback",
        "reason",
    ]
    list_filter = [
        "outcome",
        "instance__instrument",
        "mode",
        "regime",
        "group",
        "strategy",
        "is_fallback",
        "reason_code",
    ]
    list_select_related = ["instance__instrument"]
    search_fields = ["reason", "strategy", "instance__instrument__symbol"]
    date_hierarchy = "decided_at"
    first_row = "It comes with the first cycle of an autopilot, within its interval after it is started."

    @display(description="Outcome", ordering="outcome", label=OUTCOME_LABELS)
    def shown_outcome(self, decision: Decision) -> str:
        return decision.get_outcome_display()

    @display(description="Direction", ordering="direction", label=DIRECTION_LABELS)
    def shown_direction(self, decision: Decision) -> str:
        return decision.direction.title() or "–"

    @display(description="Score", ordering="score")
    def shown_score(self, decision: Decision) -> str:
        return "–" if decision.score is None else f"{decision.score:.3f}"
