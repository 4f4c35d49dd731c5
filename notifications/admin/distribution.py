"""What was sent to whom and what came back: to be read, never edited."""

from base64 import b64encode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import action, display

from notifications.forms import PreviewForm, WhyNotForm
from notifications.models import (
    Delivery,
    Feedback,
    Notice,
    SenderLease,
    SenderState,
    StarsPayment,
    TelegramUpdate,
)
from notifications.services.fan_out import exclusion_words, explain_exclusion, why_not
from notifications.services.stars import ask_refund
from notifications.tasks import wake_for_refund
from signals.admin import ReadOnlyAdmin

STATE_LABELS = {
    "Pending": "info",
    "Sending": "info",
    "Retry": "warning",
    "Sent": "success",
    "Dead": "danger",
    "Unknown": "danger",
    "Expired": "warning",
}


class BetweenSignalAndPersonAdmin(ReadOnlyAdmin):
    """Rows that show a signal and a person: whoever may not see both sees none of them, nor finds them."""

    def has_view_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        may_view = super().has_view_permission(request, obj)
        return bool(may_view and request.user.has_perms(["signals.view_signal", "users.view_subscriber"]))


@admin.register(Delivery)
class DeliveryAdmin(BetweenSignalAndPersonAdmin):
    list_display = [
        "signal",
        "subscriber",
        "shown_state",
        "tier",
        "due_at",
        "sent_at",
        "words",
        "answer",
    ]
    first_row = "The first is written with the first signal for which a subscriber is eligible."
    list_filter = ["state", "kind", "tier", "is_repeat", "feedback__answer", "signal__instrument"]
    list_select_related = ["signal__instrument", "subscriber", "feedback"]
    search_fields = ["public_id", "signal__public_id", "subscriber__display_name"]
    search_help_text = "Public id of the delivery or of its signal, or a subscriber's name"
    date_hierarchy = "due_at"
    actions_list = ["ask_why_not", "show_preview"]
    fieldsets = [
        (None, {"fields": ["signal", "subscriber", "kind", "state", "words", "answer"]}),
        ("Time", {"fields": ["created_at", "due_at", "sent_at", "expires_at", "next_attempt_at"]}),
        ("Order", {"fields": ["tier", "tier_rank", "weight"]}),
        ("Attempts", {"fields": ["attempts", "is_repeat", "is_plain", "attempt_id", "lease_until"]}),
        ("Telegram", {"fields": ["public_id", "telegram_message_id"]}),
    ]

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown_state(self, delivery: Delivery) -> str:
        return delivery.get_state_display()

    @display(description="Reason")
    def words(self, delivery: Delivery) -> str:
        return exclusion_words(delivery.reason)

    @display(description="Answer", ordering="feedback__answer")
    def answer(self, delivery: Delivery) -> str:
        # Most deliveries have none, which Django tells by an AttributeError.
        feedback: Feedback | None = getattr(delivery, "feedback", None)
        return feedback.get_answer_display() if feedback else ""

    @action(description="Why not?", icon="help", url_path="ask-why-not", permissions=["view"])
    def ask_why_not(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:notifications_delivery_why_not"))

    @action(description="Preview", icon="preview", url_path="show-preview", permissions=["view"])
    def show_preview(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:notifications_delivery_preview"))

    def get_urls(self) -> list[URLPattern]:
        why_not_page = self.admin_site.admin_view(self.why_not_view)
        preview_page = self.admin_site.admin_view(self.preview_view)
        return [
            path("why-not/", why_not_page, name="notifications_delivery_why_not"),
            path("preview/", preview_page, name="notifications_delivery_preview"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Any message as any subscriber would read it."""
        from notifications.services.preview import preview, preview_answers  # noqa: PLC0415  (Telegram's library)

        if not self.has_view_permission(request):
            raise PermissionDenied
        form = PreviewForm(request.GET or None)
        context = self.admin_site.each_context(request) | {
            "title": "Preview",
            "opts": self.opts,
            "form": form,
        }
        if form.is_valid():
            asked, now = form.cleaned_data, timezone.now()
            shown = preview(**asked, now=now)
            answers = preview_answers(subscriber=asked["subscriber"], now=now)
            context |= {
                "asked": asked,
                "preview": shown,
                "answer": why_not(signal=asked["signal"], subscriber=asked["subscriber"]),
                # Made by the message's template, which escapes whatever is not its own.
                "html": mark_safe(shown.message.text) if shown else "",  # noqa: S308
                "repeat": mark_safe(shown.repeat.text) if shown else "",  # noqa: S308
                "png": b64encode(shown.png).decode() if shown and shown.png else "",
                "answers": {question: mark_safe(html) for question, html in answers.items()},  # noqa: S308
            }
        return TemplateResponse(request, "notifications/admin/preview.html", context)

    def why_not_view(self, request: HttpRequest) -> HttpResponse:
        """Why one subscriber did not get one signal."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = WhyNotForm(request.GET if "subscriber" in request.GET else None, initial=request.GET.dict())
        answer = explain_exclusion(**form.cleaned_data) if form.is_valid() else None
        frame = self.admin_site.each_context(request) | {"title": "Why not?", "opts": self.opts}
        context = frame | {"form": form, "answer": answer}
        return TemplateResponse(request, "notifications/admin/why_not.html", context)


@admin.register(Feedback)
class FeedbackAdmin(BetweenSignalAndPersonAdmin):
    list_display = ["answered_at", "shown_answer", "signal", "subscriber"]
    first_row = "The first comes when a subscriber presses “Acted” or “Ignored” under a signal."
    list_filter = ["answer", "delivery__tier", "delivery__signal__instrument"]
    list_select_related = ["delivery__subscriber", "delivery__signal__instrument"]
    search_fields = ["delivery__public_id", "delivery__subscriber__display_name"]
    date_hierarchy = "answered_at"
    fields = ["answer", "answered_at", "signal", "subscriber", "delivery"]

    @display(description="Signal", ordering="delivery__signal")
    def signal(self, feedback: Feedback) -> SafeString:
        signal = feedback.delivery.signal
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:signals_signal_change", args=[signal.pk]), signal
        )

    @display(description="Subscriber", ordering="delivery__subscriber")
    def subscriber(self, feedback: Feedback) -> str:
        return str(feedback.delivery.subscriber)

    @display(description="Answer", ordering="answer", label={"Acted": "success", "Ignored": "info"})
    def shown_answer(self, feedback: Feedback) -> str:
        return feedback.get_answer_display()


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Reminders of subscriptions, accounted for like signals."""

    list_display = ["due_at", "kind", "subscriber", "shown_state", "about", "sent_at", "reason"]
    first_row = "The first is written three days before a subscription ends."
    list_filter = ["state", "kind"]
    list_select_related = ["subscriber"]
    search_fields = ["subscriber__display_name", "public_id"]
    date_hierarchy = "due_at"

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown_state(self, notice: Notice) -> str:
        return notice.get_state_display()

    def has_view_permission(self, request: HttpRequest, obj: Notice | None = None) -> bool:
        may_view = super().has_view_permission(request, obj)
        return bool(may_view and request.user.has_perm("users.view_subscriber"))


@admin.register(StarsPayment)
class StarsPaymentAdmin(ReadOnlyAdmin):
    """What was paid in Telegram Stars, without names; a refund is asked for here and done by a worker."""

    list_display = ["paid_at", "whose", "tier", "stars", "days", "state", "note"]
    first_row = "The first comes when a subscriber pays for a tier that has a price (TELEGRAM_STARS)."
    list_filter = ["tier", ("refunded_at", admin.EmptyFieldListFilter)]
    list_select_related = ["subscriber", "tier"]
    search_fields = ["telegram_payment_charge_id", "subscriber__public_id"]
    date_hierarchy = "paid_at"
    actions = ["refund"]
    fields = ["whose", "tier", "stars", "days", "state", "note", "paid_at", "telegram_payment_charge_id",
              "refund_asked_at", "refund_asked_by", "refunded_at"]  # fmt: skip

    @display(description="Subscriber")
    def whose(self, payment: StarsPayment) -> str:
        return str(payment.subscriber.public_id) if payment.subscriber else "nobody"

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """The row itself changes for nobody."""
        return bool(request.user.has_perm("notifications.change_starspayment"))

    @display(description="State")
    def state(self, payment: StarsPayment) -> str:
        if payment.refunded_at is not None:
            return "refunded"
        if payment.refund_error:
            return f"refund refused: {payment.refund_error}"
        return "refund asked for" if payment.refund_asked_at else "paid"

    @admin.action(description="Refund: the Stars go back, the days with them", permissions=["refund"])
    def refund(self, request: HttpRequest, queryset: QuerySet[StarsPayment]) -> None:
        by, now = request.user.get_username(), timezone.now()
        asked = [payment for payment in queryset if ask_refund(payment=payment, by=by, now=now)]
        for payment in asked:
            self.log_change(request, payment, "Refund asked for.")
        wake_for_refund()
        level = messages.SUCCESS if asked else messages.WARNING
        self.message_user(request, f"{len(asked)} refunds asked for.", level)


@admin.register(TelegramUpdate)
class TelegramUpdateAdmin(ReadOnlyAdmin):
    """What people typed, with their names."""

    list_display = ["update_id", "received_at", "processed_at", "attempts", "outcome"]
    first_row = "The first comes when somebody writes to the bot."
    list_filter = [("processed_at", admin.EmptyFieldListFilter)]
    search_fields = ["update_id", "outcome"]
    date_hierarchy = "received_at"

    def has_view_permission(self, request: HttpRequest, obj: TelegramUpdate | None = None) -> bool:
        may_view = super().has_view_permission(request, obj)
        return bool(may_view and request.user.has_perm("users.view_subscriber"))


@admin.register(SenderState)
class SenderStateAdmin(ReadOnlyAdmin):
    """A halt ends when the sender is started again with a token that Telegram knows."""

    list_display = ["__str__", "paused_until", "halted_reason"]
    first_row = "The sender writes it when Telegram first asks it to wait or refuses its token."


@admin.register(SenderLease)
class SenderLeaseAdmin(ReadOnlyAdmin):
    """Which sender leads."""

    list_display = ["holder", "fencing_token", "lapses_at"]
    first_row = "The sender writes it when it starts."
