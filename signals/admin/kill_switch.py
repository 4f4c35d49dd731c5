"""The page of the kill switch, and its record."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import display

from signals.admin.read_only import ReadOnlyAdmin
from signals.forms import KillSwitchForm
from signals.models import KillSwitch, KillSwitchChange, KillSwitchState
from signals.models.kill_switch import SENDING
from signals.selectors import is_alone
from signals.services import kill_switch


@admin.register(KillSwitch)
class KillSwitchAdmin(ReadOnlyAdmin):
    """One page instead of a list: how the switch is, and the forms that change it."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """GET shows, POST acts; what was typed stays when it is refused."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_change = request.user.has_perm("signals.change_killswitch")
        form = KillSwitchForm(request.POST if "reason" in request.POST else None)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if self.changed(request, form):
                return HttpResponseRedirect(reverse("admin:signals_killswitch_changelist"))
        now, switch = timezone.now(), KillSwitch.objects.first()
        frame = self.admin_site.each_context(request) | {"title": "Kill switch", "opts": self.opts}
        context = frame | {
            "form": form,
            "switch": switch,
            "may_change": may_change,
            "is_engaged": switch is None or switch.state == KillSwitchState.ENGAGED,
            "is_armed": switch is not None and switch.is_armed,
            "asked": switch is not None and switch.rearm_is_open(now),
            "changes": [(change, SENDING[change.event]) for change in KillSwitchChange.objects.all()[:20]],
        }
        return TemplateResponse(request, "signals/admin/kill_switch.html", context)

    def changed(self, request: HttpRequest, form: KillSwitchForm) -> bool:
        """Do what the pressed button says; False when the form says what is missing."""
        action = request.POST.get("action")
        who: dict[str, Any] = {
            "by": request.user.get_username(),
            "now": timezone.now(),
            "address": request.META.get("REMOTE_ADDR", ""),
        }
        try:
            if action == "confirm":
                kill_switch.confirm_rearm(
                    code=request.POST.get("code", ""), may_be_same=is_alone(request.user), **who
                )
            elif not form.is_valid():
                return False
            elif action == "request":
                kill_switch.request_rearm(reason=form.cleaned_data["reason"], **who)
            elif action == "reduce":
                kill_switch.reduce_only(reason=form.cleaned_data["reason"], **who)
            else:
                kill_switch.engage(reason=form.cleaned_data["reason"], **who)
        except kill_switch.KillSwitchError as error:
            self.message_user(request, str(error), messages.ERROR)
            return action == "confirm"
        return True


@admin.register(KillSwitchChange)
class KillSwitchChangeAdmin(ReadOnlyAdmin):
    list_display = ["changed_at", "shown_event", "changed_by", "reason"]
    first_row = "The first entry comes when somebody stops the sending."
    list_filter = ["event"]
    search_fields = ["reason", "changed_by"]
    date_hierarchy = "changed_at"

    @display(description="Sending", ordering="event")
    def shown_event(self, change: KillSwitchChange) -> str:
        return SENDING[change.event]
