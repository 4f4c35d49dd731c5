"""Invitations in the console: made, the code shown once, revoked."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import display

from users.admin.people import HistoryAdmin, ways_to_link
from users.forms import InvitationForm
from users.models import Invitation
from users.services import create_invitation, revoke_invitation

STATE_LABELS = {"Open": "success", "Used up": "info", "Over": "warning", "Revoked": "danger"}


@admin.register(Invitation)
class InvitationAdmin(HistoryAdmin):
    """An invitation never changes: who wants another makes another."""

    form = InvitationForm
    list_display = ["name", "tier", "uses", "state", "days", "is_trial", "expires_at", "created_by"]
    list_filter = ["tier", "is_trial"]
    list_select_related = ["tier"]
    search_fields = ["name"]
    actions = ["revoke"]
    fields = ["name", "tier", "most_uses", "expires_at", "days", "is_trial"]
    record = [*fields, "uses", "state", "created_by", "created_at", "revoked_at"]

    def get_fields(self, request: HttpRequest, obj: Invitation | None = None) -> list[str]:
        return self.record if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Invitation | None = None) -> list[str]:
        return self.record if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    @display(description="Uses", ordering="used")
    def uses(self, invitation: Invitation) -> str:
        return f"{invitation.used} of {invitation.most_uses}"

    @display(description="State", label=STATE_LABELS)
    def state(self, invitation: Invitation) -> str:
        if invitation.revoked_at is not None:
            return "Revoked"
        if invitation.used >= invitation.most_uses:
            return "Used up"
        return "Open" if invitation.expires_at > timezone.now() else "Over"

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:  # noqa: FBT001
        if change:
            return
        row, code = create_invitation(
            name=obj.name,
            tier=obj.tier,
            most_uses=obj.most_uses,
            expires_at=obj.expires_at,
            days=obj.days,
            is_trial=obj.is_trial,
            by=request.user.get_username(),
        )
        obj.__dict__.update(row.__dict__)
        request.made_code = code  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Invitation, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The code is in this one answer and nowhere else."""
        frame = self.admin_site.each_context(request) | {"title": "Invitation", "opts": self.opts}
        context = frame | {"invitation": obj} | ways_to_link(request.made_code)  # type: ignore[attr-defined]
        return TemplateResponse(request, "admin/users/invitation/made.html", context)

    @admin.action(description="Revoke: nobody comes by it any more", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        chosen = list(queryset.filter(revoked_at=None))
        for invitation in chosen:
            revoke_invitation(invitation=invitation, now=timezone.now())
            self.log_change(request, invitation, "Revoked.")
        level = messages.SUCCESS if chosen else messages.WARNING
        self.message_user(request, f"{len(chosen)} revoked.", level)
