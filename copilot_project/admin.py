"""What the admin needs from several apps at once, and what it must not offer.

A PeriodicTask row runs any registered task with any arguments, a social app or token holds secrets: none
of them has a page. The schedule is in `schedule.py`, Google's keys are in the environment.
"""

from typing import Any

import allauth.account.admin
import allauth.mfa.admin
import allauth.socialaccount.admin  # noqa: F401  (registers when it is imported)
import django_celery_beat.admin  # noqa: F401  (the same)
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin, StackedInline
from unfold.decorators import display

from notifications.forms import PreferenceForm, PreferenceFormSet
from notifications.models import DeliveryPreference
from notifications.services.starvation import starvation
from users.admin import SubscriberAdmin
from users.models import Subscriber
from users.selectors import Change, changes_of

UNWANTED = (
    Authenticator,
    ClockedSchedule,
    CrontabSchedule,
    EmailAddress,
    IntervalSchedule,
    PeriodicTask,
    SocialAccount,
    SocialApp,
    SocialToken,
    SolarSchedule,
)

admin.site.unregister([model for model in UNWANTED if admin.site.is_registered(model)])


class PreferenceInline(StackedInline):
    model = DeliveryPreference
    form = PreferenceForm
    formset = PreferenceFormSet
    can_delete = False
    autocomplete_fields = ["instruments"]
    verbose_name_plural = "What to send, and when"


@admin.register(Subscriber)
class DistributedSubscriberAdmin(SubscriberAdmin):
    """A subscriber together with what the distribution knows of it."""

    inlines = [PreferenceInline]
    list_display = [*SubscriberAdmin.list_display, "gets_signals"]
    readonly_fields = [*SubscriberAdmin.readonly_fields, "gets_signals"]
    fieldsets = [
        *SubscriberAdmin.fieldsets[:4],
        ("Signals", {"fields": ["gets_signals"]}),
        *SubscriberAdmin.fieldsets[4:],
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        people = super().get_queryset(request).select_related("tier", "preference")
        return people.prefetch_related("preference__instruments")

    def changes(self, row: Model) -> list[Change]:
        """With what was set of the deliveries."""
        wish = DeliveryPreference.objects.filter(subscriber=row.pk).first()
        found = [*super().changes(row), *(changes_of(wish) if wish else [])]
        return sorted(found, key=lambda change: change.at, reverse=True)

    @display(description="Gets signals", label={"never": "danger", "yes": "success"})
    def gets_signals(self, subscriber: Subscriber) -> tuple[str, str]:
        reasons = starvation(subscriber, now=timezone.now())
        return ("never", f"never: {reasons[0]}") if reasons else ("yes", "yes")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        super().save_related(request, form, formsets, change)
        subscriber = Subscriber.objects.select_related("tier", "preference").get(pk=form.instance.pk)
        for reason in starvation(subscriber, now=timezone.now()):
            warning = f"With these settings {subscriber} never gets a signal: {reason}."
            self.message_user(request, warning, messages.WARNING)


@admin.register(SocialAccount)
class GoogleAccountAdmin(ModelAdmin):
    """Which Google account belongs to which user. Deleting one lets another with that address take its place."""

    list_display = ["user", "provider", "uid", "last_login", "date_joined"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__username", "uid"]
    fields = ["user", "provider", "uid", "last_login", "date_joined"]

    def has_view_permission(self, request: HttpRequest, obj: SocialAccount | None = None) -> bool:
        """It shows a user's name and address."""
        may_view = super().has_view_permission(request, obj)
        return bool(may_view and request.user.has_perm("users.view_user"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SocialAccount | None = None) -> bool:
        return False
