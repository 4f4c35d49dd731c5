"""Subscribers, tiers and staff in the console. What others know of a subscriber is added in `copilot_project.admin`."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from users.engine.subscriber import SubscriberStatus
from users.forms import ChangeTierForm, ImportForm, TierForm
from users.models import StaffChat, Subscriber, Tier, User
from users.selectors import Change, changes_of
from users.services import (
    SubscriberError,
    archive_subscriber,
    change_tier,
    issue_link_token,
    issue_staff_token,
    remove_subscriber,
    restore_subscriber,
)
from users.services.csv_files import COLUMNS, export_csv, import_csv

admin.site.unregister(Group)

CHAT_LABELS = {"linked": "success", "not linked": "info", "unreachable": "danger"}
STATUS_LABELS = {"Active": "success", "Ended": "warning", "Archived": "warning", "Removed": "danger"}


def ways_to_link(token: str) -> dict[str, str]:
    """What the page of a token shows besides the token."""
    if settings.TELEGRAM_IS_REAL:  # else the bot of that name is a stranger's
        return {"token": token, "link": f"https://t.me/{settings.TELEGRAM_BOT_USERNAME}?start={token}"}
    return {"token": token} | ({"chats": settings.SANDBOX_URL} if settings.SANDBOX else {})


class HistoryAdmin(ModelAdmin):
    """Its history shows each value before and after, besides who did something in the console."""

    object_history_template = "admin/users/history.html"

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        changes = self.changes(row) if row is not None and self.has_view_permission(request, row) else []
        return super().history_view(request, object_id, {**(extra_context or {}), "changes": changes})

    def changes(self, row: Model) -> list[Change]:
        return changes_of(row)


@admin.register(Tier)
class TierAdmin(HistoryAdmin):
    form = TierForm
    list_display = [
        "name",
        "code",
        "rank",
        "delay_seconds",
        "max_sessions",
        "account_types",
        "experimental",
        "people",
    ]
    search_fields = ["name", "code"]
    ordering = ["-rank"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tier]:
        active = Q(subscribers__status=SubscriberStatus.ACTIVE)
        active &= Q(subscribers__subscription_ends_at=None) | Q(
            subscribers__subscription_ends_at__gt=timezone.now()
        )
        return super().get_queryset(request).annotate(people=Count("subscribers", filter=active))

    @display(description="Active subscribers", ordering="people")
    def people(self, tier: Tier) -> int:
        return tier.people  # type: ignore[attr-defined]  # annotated

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        return False


class LinkedFilter(admin.SimpleListFilter):
    title = "Telegram chat"
    parameter_name = "chat"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [
            ("reachable", "Gets messages"),
            ("linked", "Linked"),
            ("unlinked", "Not linked"),
            ("unreachable", "Unreachable"),
            ("ended", "Subscription ended"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> QuerySet[Subscriber]:
        match self.value():
            case "reachable":
                return queryset.filter(pk__in=Subscriber.objects.reachable(timezone.now()))
            case "ended":
                return queryset.filter(subscription_ends_at__lte=timezone.now())
            case "linked":
                return queryset.filter(chat_id__isnull=False)
            case "unlinked":
                return queryset.filter(chat_id=None)
            case "unreachable":
                return queryset.exclude(unreachable_reason="")
        return queryset


class SubscriberAdmin(HistoryAdmin):
    """Registered in `copilot_project.admin`, with what the apps above add to it."""

    list_display = [
        "__str__",
        "tier",
        "account_type",
        "risk_profile",
        "shown_status",
        "chat",
        "subscription_ends_at",
    ]
    list_filter = ["status", "tier", "account_type", "risk_profile", LinkedFilter]
    list_select_related = ["tier"]
    search_fields = ["display_name", "telegram_username", "public_id", "notes"]
    search_help_text = "Name, Telegram user name, public id or notes"
    autocomplete_fields = ["tier"]
    date_hierarchy = "created_at"
    actions = ["archive", "restore", "change_tier", "export", "remove"]
    actions_list = ["import_page"]
    actions_detail = ["link_token", "archive_page", "restore_page", "remove_page"]
    readonly_fields = [
        "public_id",
        "shown_status",
        "chat_id",
        "telegram_username",
        "linked_at",
        "unreachable_reason",
        "created_at",
        "archived_at",
        "removed_at",
    ]
    fieldsets = [
        (None, {"fields": ["display_name", "tier", "account_type", "risk_profile", "language"]}),
        ("Subscription", {"fields": ["subscription_starts_at", "subscription_ends_at", "is_trial"]}),
        ("Size shown in messages", {"fields": ["capital", "capital_currency", "risk_fraction"]}),
        ("Notes", {"fields": ["notes"]}),
        ("Telegram", {"fields": ["chat_id", "telegram_username", "linked_at", "unreachable_reason"]}),
        ("Record", {"fields": ["shown_status", "public_id", "created_at", "archived_at", "removed_at"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Subscriber | None = None) -> list[tuple]:
        """What only Telegram or time can fill in is not shown on the empty form."""
        return self.fieldsets if obj else self.fieldsets[:4]

    def has_delete_permission(self, request: HttpRequest, obj: Subscriber | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Subscriber | str | None = None) -> bool:
        """Unfold asks with a key instead of a row before it runs an action; the service refuses there."""
        if isinstance(obj, Subscriber) and obj.status == SubscriberStatus.REMOVED:
            return False
        return bool(super().has_change_permission(request, obj))

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def shown_status(self, subscriber: Subscriber) -> str:
        """One whose subscription is over is active no longer, whatever the row says."""
        is_over = subscriber.status == SubscriberStatus.ACTIVE and subscriber.has_ended(timezone.now())
        return "Ended" if is_over else subscriber.get_status_display()

    @display(description="Telegram", label=CHAT_LABELS)
    def chat(self, subscriber: Subscriber) -> str:
        if subscriber.unreachable_reason:
            return "unreachable"
        return "linked" if subscriber.chat_id else "not linked"

    @admin.action(description="Archive: no more signals, everything is kept", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        chosen = list(queryset.filter(status=SubscriberStatus.ACTIVE))
        for subscriber in chosen:
            archive_subscriber(subscriber=subscriber, now=timezone.now())
        self.record(request, chosen, "archived")

    @admin.action(description="Restore: signals again", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        chosen = list(queryset.filter(status=SubscriberStatus.ARCHIVED))
        for subscriber in chosen:
            restore_subscriber(subscriber=subscriber)
        self.record(request, chosen, "restored")

    @admin.action(description="Change the tier …", permissions=["change"])
    def change_tier(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> HttpResponse | None:
        chosen = list(queryset.exclude(status=SubscriberStatus.REMOVED).select_related("tier"))
        form = ChangeTierForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self.page(request, "change_tier", "Change the tier", subscribers=chosen, form=form)
        tier = form.cleaned_data["tier"]
        moved = [subscriber for subscriber in chosen if subscriber.tier_id != tier.pk]
        change_tier(
            subscribers=moved, tier=tier, by=request.user.get_username(), why=form.cleaned_data["why"]
        )
        self.record(request, moved, f"moved to {tier}")
        return None

    @admin.action(description="Export as CSV", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> HttpResponse:
        """Without those who were removed: of them nothing is left."""
        chosen = queryset.exclude(status=SubscriberStatus.REMOVED).select_related("tier")
        headers = {"Content-Disposition": 'attachment; filename="subscribers.csv"'}
        return HttpResponse(
            export_csv(subscribers=chosen), content_type="text/csv; charset=utf-8", headers=headers
        )

    @action(description="Import", icon="upload", url_path="import", permissions=["add"])
    def import_page(self, request: HttpRequest) -> HttpResponse:
        """Every line is checked first; a file with an error writes nothing."""
        if not self.has_add_permission(request) or not self.has_change_permission(request):
            raise PermissionDenied
        form, report = ImportForm(request.POST or None, request.FILES or None), None
        if request.method == "POST" and form.is_valid():
            report = import_csv(
                text=form.cleaned_data["file"].read().decode("utf-8", errors="replace"),
                by=request.user.get_username(),
                why=form.cleaned_data["why"],
                dry_run=form.cleaned_data["dry_run"],
            )
        return self.page(request, "import", "Import subscribers", form=form, report=report, columns=COLUMNS)

    @admin.action(description="Remove: personal data gone for good …", permissions=["change"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> HttpResponse | None:
        chosen = list(queryset.exclude(status=SubscriberStatus.REMOVED))
        if "confirmed" not in request.POST:
            return self.page(request, "remove", "Remove subscribers", subscribers=chosen)
        for subscriber in chosen:
            remove_subscriber(subscriber=subscriber, now=timezone.now())
        self.record(request, chosen, "removed")
        return None

    @action(description="Archive", icon="archive", url_path="archive", permissions=["change"])
    def archive_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET asks; what it asks for is the list's action, as are the next two."""
        return self.ask(request, object_id, "archive", "Archive a subscriber")

    @action(description="Restore", icon="unarchive", url_path="restore", permissions=["change"])
    def restore_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, "restore", "Restore a subscriber")

    @action(description="Remove", icon="delete", url_path="remove", permissions=["change"])
    def remove_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        subscriber = self.get_object(request, object_id)
        chosen = [subscriber] if subscriber and subscriber.status != SubscriberStatus.REMOVED else []
        return self.page(request, "remove", "Remove subscribers", subscribers=chosen)

    def ask(self, request: HttpRequest, object_id: str, action: str, title: str) -> HttpResponse:
        subscriber = self.get_object(request, object_id)
        return self.page(request, "confirm", title, subscriber=subscriber, action=action)

    def record(self, request: HttpRequest, subscribers: Iterable[Subscriber], done: str) -> None:
        subscribers = list(subscribers)
        for subscriber in subscribers:
            self.log_change(request, subscriber, f"{done.capitalize()}.")
        level = messages.SUCCESS if subscribers else messages.WARNING
        self.message_user(request, f"{len(subscribers)} {done}.", level)

    @action(description="Issue link token", icon="link", url_path="link-token", permissions=["change"])
    def link_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET asks, POST issues: the token is in that one answer and nowhere else."""
        subscriber = self.get_object(request, object_id)
        if subscriber is None or request.method != "POST":
            return self.page(request, "link_token", "Link a Telegram chat", subscriber=subscriber)
        try:
            token = issue_link_token(subscriber=subscriber, now=timezone.now())
        except SubscriberError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:users_subscriber_change", args=[object_id]))
        self.log_change(request, subscriber, "Link token issued.")
        context = {"subscriber": subscriber} | ways_to_link(token)
        return self.page(request, "link_token", "Link a Telegram chat", **context)

    def page(self, request: HttpRequest, name: str, title: str, **context: Any) -> HttpResponse:
        """One of this admin's own pages, in the admin's frame; `admin_view` keeps it out of every cache."""
        frame = self.admin_site.each_context(request) | {"title": title, "opts": self.opts}
        return TemplateResponse(request, f"admin/users/subscriber/{name}.html", frame | context)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, HistoryAdmin):  # type: ignore[misc]  # both name a template of histories
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_staff", "is_superuser", "is_active", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    search_fields = ["username", "email", "first_name", "last_name"]
    actions_detail = ["staff_chat"]
    readonly_fields = ["password_state", "last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "email", "first_name", "last_name", "password_state"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["username", "email", "usable_password", "password1", "password2"],
            },
        )
    ]

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Staff are made inactive: what they did keeps its author."""
        return False

    @action(description="Link a staff chat", icon="link", url_path="staff-chat", permissions=["change"])
    def staff_chat(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET asks, POST issues: the token is in that one answer and nowhere else."""
        staff = self.get_object(request, object_id)
        context: dict[str, Any] = {"staff": staff, "chat": StaffChat.objects.filter(user=staff).first()}
        if staff is not None and request.method == "POST":
            context |= ways_to_link(issue_staff_token(user=staff, now=timezone.now()))
            self.log_change(request, staff, "Token for a staff chat issued.")
        frame = self.admin_site.each_context(request) | {"title": "Link a staff chat", "opts": self.opts}
        return TemplateResponse(request, "admin/users/user/staff_chat.html", frame | context)

    @display(description="Password")
    def password_state(self, user: User) -> str:
        """Not even the masked hash is shown."""
        state = "set" if user.has_usable_password() else "none: logs in with Google"
        link = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('{} (<a href="{}">change</a>)', state, link)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    search_fields = ["name"]
