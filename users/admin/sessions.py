"""Everybody's sessions, for whoever may see users."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from users.models import StaffSession
from users.services import end_session


@admin.register(StaffSession)
class StaffSessionAdmin(ModelAdmin):
    list_display = ["user", "began_at", "seen_at", "address", "browser", "ended_at"]
    list_filter = ["user"]
    list_select_related = ["user"]
    search_fields = ["user__username", "address"]
    fields = ["user", "began_at", "seen_at", "address", "browser", "ended_at"]
    readonly_fields = fields
    actions = ["end"]
    first_row = "The first comes with the first page that somebody asks for after logging in."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StaffSession | None = None) -> bool:
        """Deleting the row alone would leave the session open."""
        return False

    @admin.action(description="End: logged out at once", permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[StaffSession]) -> None:
        sessions = list(queryset)
        for session in sessions:
            self.log_change(request, session, "Ended.")
            end_session(session=session, now=timezone.now())
        self.message_user(request, f"{len(sessions)} ended.")
