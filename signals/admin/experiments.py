"""A/B tests with their arms."""

from django.contrib import admin
from unfold.admin import TabularInline

from signals.admin.read_only import ReadOnlyAdmin
from signals.models import Experiment, ExperimentArm


class ExperimentArmInline(TabularInline):
    model = ExperimentArm
    fields = ["position", "name", "variant", "share", "settings"]
    readonly_fields = fields
    can_delete = False
    extra = 0


@admin.register(Experiment)
class ExperimentAdmin(ReadOnlyAdmin):
    list_display = ["name", "assignment", "started_at", "ends_at", "ended_at", "ended_by", "conclusion"]
    first_row = "The first comes when somebody begins an A/B test."
    list_filter = ["assignment"]
    search_fields = ["name", "question", "conclusion"]
    inlines = [ExperimentArmInline]
