"""Signs of life, alarms, and what the schedule ran."""

from django.contrib import admin

from signals.admin.read_only import ReadOnlyAdmin
from signals.models import Alarm, Heartbeat, ScheduledSlot


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "beat_at", "expected_every_seconds", "detail"]
    first_row = "Each process writes its own within ten seconds after it starts."
    search_fields = ["name", "detail"]


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ["name", "raised_at", "cleared_at", "told_at", "detail"]
    first_row = "None was ever raised. One comes when a process is silent for more than 30 seconds."
    list_filter = ["name", ("cleared_at", admin.EmptyFieldListFilter)]
    date_hierarchy = "raised_at"


@admin.register(ScheduledSlot)
class ScheduledSlotAdmin(ReadOnlyAdmin):
    list_display = ["name", "slot", "started_at", "finished_at"]
    first_row = "The first comes with the first tick of beat, within half a minute after it starts."
    list_filter = ["name"]
    search_fields = ["name"]
    date_hierarchy = "slot"
    show_full_result_count = False
