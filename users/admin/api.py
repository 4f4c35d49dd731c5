"""Keys of the API: made, shown once, revoked; and the requests that are answered once."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from users.admin.people import HistoryAdmin
from users.engine.api_key import ApiScope
from users.forms import ApiKeyForm
from users.models import ApiKey, ApiRequest
from users.services import create_api_key, revoke_api_key

STATE_LABELS = {"Good": "success", "Expired": "warning", "Revoked": "danger"}


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    form = ApiKeyForm
    list_display = ["name", "prefix", "user", "tier", "shown_scopes", "state", "last_used_at", "expires_at"]
    list_filter = ["tier", "user", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "tier"]
    search_fields = ["name", "prefix", "user__username"]
    search_help_text = "Name, beginning of the key or whose it is"
    actions = ["revoke"]
    fields = ["name", "tier", "scopes", "expires_at"]
    record = ["name", "prefix", "user", "tier", "shown_scopes", "state", "created_at", "expires_at",
              "last_used_at", "revoked_at"]  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return self.record if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        """A key never changes: who wants another right makes another key."""
        return self.record if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001
        if change:
            return
        row, secret = create_api_key(
            user=request.user,  # type: ignore[arg-type]  # the console is staff's
            name=obj.name,
            scopes=[ApiScope(scope) for scope in form.cleaned_data["scopes"]],
            tier=obj.tier,
            expires_at=obj.expires_at,
            now=timezone.now(),
        )
        obj.__dict__.update(row.__dict__)
        request.made_key = secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The key is in this one answer and nowhere else."""
        frame = self.admin_site.each_context(request) | {"title": "A new API key", "opts": self.opts}
        secret = request.made_key  # type: ignore[attr-defined]
        return TemplateResponse(
            request, "admin/users/apikey/key.html", frame | {"key": obj, "secret": secret}
        )

    @display(description="Scopes")
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="State", label=STATE_LABELS)
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "Revoked"
        return "Good" if key.is_open(timezone.now()) else "Expired"

    @admin.action(description="Revoke: opens nothing from now on", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = [key for key in queryset if revoke_api_key(key=key, now=timezone.now())]
        for key in revoked:
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"{len(revoked)} revoked.")


@admin.register(ApiRequest)
class ApiRequestAdmin(ModelAdmin):
    """What was asked under an Idempotency-Key in the last 24 hours."""

    actions = None
    first_row = "The first comes with the first POST that names an Idempotency-Key."
    list_display = ["claimed_at", "user", "api_key", "path", "idempotency_key", "status"]
    list_filter = ["status", "path"]
    list_select_related = ["user", "api_key"]
    search_fields = ["idempotency_key", "path", "user__username"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False
