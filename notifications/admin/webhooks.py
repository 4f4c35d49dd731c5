"""Webhooks: endpoints made here, whose secret is shown once; their events, and those that were given up."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifications.forms import WebhookForm
from notifications.models import UNSETTLED, DeliveryKind, WebhookDelivery, WebhookEndpoint, WebhookState
from notifications.services.webhooks import create_endpoint, revive
from signals.admin import ReadOnlyAdmin

STATE_LABELS = {
    "Pending": "info",
    "Sending": "info",
    "Retry": "warning",
    "Sent": "success",
    "Dead": "danger",
}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ModelAdmin):
    form = WebhookForm
    list_display = ["name", "url", "api_key", "shown_kinds", "is_active", "waiting", "dead"]
    list_filter = ["is_active", "api_key__tier"]
    list_select_related = ["api_key"]
    search_fields = ["name", "url", "api_key__name"]
    fields = ["name", "api_key", "url", "kinds", "is_active"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        waiting, dead = Q(deliveries__state__in=UNSETTLED), Q(deliveries__state=WebhookState.DEAD)
        rows = super().get_queryset(request)
        return rows.annotate(
            waiting_events=Count("deliveries", filter=waiting), dead_events=Count("deliveries", filter=dead)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> list[str]:
        """Another key would be another tier: that is another webhook."""
        return ["api_key"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:  # noqa: FBT001
        if change:
            super().save_model(request, obj, form, change)
            return
        made = create_endpoint(
            name=obj.name,
            api_key=obj.api_key,
            url=obj.url,
            kinds=[DeliveryKind(kind) for kind in form.cleaned_data["kinds"]],
            now=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The secret is in this one answer and nowhere else."""
        frame = self.admin_site.each_context(request) | {"title": "A new webhook", "opts": self.opts}
        return TemplateResponse(
            request, "admin/notifications/webhookendpoint/secret.html", frame | {"endpoint": obj}
        )

    @display(description="Kinds")
    def shown_kinds(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.kinds)

    @display(description="Waiting")
    def waiting(self, endpoint: WebhookEndpoint) -> int:
        return int(endpoint.waiting_events)  # type: ignore[attr-defined]  # annotated

    @display(description="Dead")
    def dead(self, endpoint: WebhookEndpoint) -> int:
        return int(endpoint.dead_events)  # type: ignore[attr-defined]  # annotated


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at", "endpoint", "kind", "signal", "shown_state", "attempts", "last_status", "reason", "due_at",
        "sent_at",
    ]  # fmt: skip
    first_row = "The first comes with the first signal after a webhook was made."
    actions = ["revive"]
    list_filter = ["state", "kind", "endpoint"]
    list_select_related = ["endpoint", "signal__instrument"]
    search_fields = ["event_id", "endpoint__name", "reason"]

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown_state(self, event: WebhookDelivery) -> str:
        return event.get_state_display()

    def has_revive_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("notifications.change_webhookdelivery"))

    @admin.action(description="Try dead events again", permissions=["revive"])
    def revive(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        revived = [event for event in queryset if revive(event=event, now=timezone.now())]
        for event in revived:
            self.log_change(request, event, "Tried again.")
        self.message_user(request, f"{len(revived)} are tried again.")
