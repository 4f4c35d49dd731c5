"""The ledger, the decisions and the signs of life: to be read, never edited."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from signals.engine.timeframe import TIMEFRAME_WEIGHTS
from signals.engine.unusual import is_unusual
from signals.forms import KillSwitchForm
from signals.models import (
    Action,
    Alarm,
    AnomalyForest,
    Evaluation,
    Experiment,
    ExperimentArm,
    Heartbeat,
    Job,
    KillSwitch,
    KillSwitchChange,
    LedgerEntry,
    LedgerHead,
    PartnerChoice,
    ScheduledSlot,
    Signal,
    SignalOutcome,
    StrategyWeight,
    TrainedModel,
    VolatilityFit,
)
from signals.services import kill_switch

DIRECTION_LABELS = {"Long": "success", "Short": "danger"}
EXIT_LABELS = {"Target": "success", "Stop": "danger", "Expiry": "info"}
JOB_LABELS = {
    "Queued": "info",
    "Running": "primary",
    "Succeeded": "success",
    "Failed": "danger",
    "Cancelled": "warning",
}
MODEL_LABELS = {"Candidate": "info", "Champion": "success", "Retired": "warning", "Rejected": "danger"}
OUTCOME_LABELS = {"Signal": "success", "None": "info", "Refused": "warning"}


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the system writes."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(Signal)
class SignalAdmin(ReadOnlyAdmin):
    list_display = [
        "shown_sequence",
        "instrument",
        "shown_direction",
        "percent",
        "entry_price",
        "stop_loss",
        "take_profit",
        "strategy",
        "published_at",
        "expires_at",
    ]
    list_filter = ["direction", "instrument", "strategy", "source", "experimental", "timeframe"]
    list_select_related = ["instrument__exchange"]
    search_fields = ["public_id", "instrument__symbol", "strategy", "ledger_entry__hash"]
    search_help_text = "Symbol, strategy, public id or hash"
    date_hierarchy = "published_at"
    fieldsets = [
        (None, {"fields": ["instrument", "timeframe", "direction", "confidence", "reasons"]}),
        ("Prices", {"fields": ["entry_price", "stop_loss", "take_profit"]}),
        ("Time", {"fields": ["candle_open_time", "published_at", "expires_at", "sessions"]}),
        ("Origin", {"fields": ["strategy", "source", "variant", "experimental"]}),
        ("Ledger", {"fields": ["ledger_entry", "public_id"]}),
    ]

    @display(description="Sequence", ordering="ledger_entry_id")
    def shown_sequence(self, signal: Signal) -> int:
        return signal.sequence

    @display(description="Direction", ordering="direction", label=DIRECTION_LABELS)
    def shown_direction(self, signal: Signal) -> str:
        return signal.get_direction_display()

    @display(description="Confidence", ordering="confidence")
    def percent(self, signal: Signal) -> str:
        return f"{signal.confidence:.0%}"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """The salt is not shown: whoever has it and a hash can check a guess of what a tier may not see yet."""

    list_display = ["sequence", "kind", "schema_version", "hash"]
    list_filter = ["kind"]
    search_fields = ["=sequence", "=hash"]
    search_help_text = "Sequence or whole hash"
    fields = ["sequence", "kind", "schema_version", "content", "prev_hash", "hash"]
    readonly_fields = ["content"]
    show_full_result_count = False

    @display(description="Payload, as it was hashed")
    def content(self, entry: LedgerEntry) -> str:
        return bytes(entry.payload).decode()


@admin.register(LedgerHead)
class LedgerHeadAdmin(ReadOnlyAdmin):
    list_display = ["signed_at", "size", "root_hash", "public_key"]
    list_filter = ["public_key"]
    date_hierarchy = "signed_at"


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = [
        "candle_open_time",
        "instrument",
        "timeframe",
        "shown_outcome",
        "shown_score",
        "shown_volatility",
        "shown_anomaly",
        "shown_patterns",
        "reason",
        "evaluated_at",
    ]
    list_filter = ["outcome", "instrument", "source", "timeframe"]
    list_select_related = ["instrument__exchange", "signal__instrument"]
    search_fields = ["reason", "instrument__symbol"]
    search_help_text = "Reason or symbol"
    date_hierarchy = "candle_open_time"

    @display(description="Outcome", ordering="outcome", label=OUTCOME_LABELS)
    def shown_outcome(self, evaluation: Evaluation) -> str:
        return evaluation.get_outcome_display()

    @display(description="Score", ordering="score")
    def shown_score(self, evaluation: Evaluation) -> str:
        return "–" if evaluation.score is None else f"{evaluation.score:+.2f}"

    @display(description="Volatility until expiry (model, QLIKE)")
    def shown_volatility(self, evaluation: Evaluation) -> str:
        known = evaluation.features
        if "volatility" not in known:
            return f"ATR: {known.get('volatility_missing', 'nothing was computed')}"
        model, loss = known["volatility_model"].upper(), known["volatility_qlike"]
        return f"{known['volatility']:.2%} ({model}, {loss:.3f})"

    @display(description="Anomaly", label={"unusual": "warning"})
    def shown_anomaly(self, evaluation: Evaluation) -> tuple[str, str] | str:
        score = evaluation.features.get("anomaly")
        if score is None:
            return "–"
        return ("unusual", f"{score:.2f} unusual") if is_unusual(score) else f"{score:.2f}"

    @display(description="Patterns 1h / 4h / 1d")
    def shown_patterns(self, evaluation: Evaluation) -> str:
        scores = [evaluation.features.get(f"pattern_{timeframe}") for timeframe in TIMEFRAME_WEIGHTS]
        return " / ".join("–" if score is None else f"{score:+.2f}" for score in scores)


@admin.register(SignalOutcome)
class SignalOutcomeAdmin(ReadOnlyAdmin):
    list_display = [
        "exited_at",
        "signal",
        "shown_exit",
        "shown_r",
        "shown_return",
        "shown_excursions",
        "bars_held",
        "is_ambiguous",
    ]
    list_filter = ["exit_reason", "is_ambiguous", "signal__instrument", "signal__strategy"]
    list_select_related = ["signal__instrument"]
    search_fields = ["signal__instrument__symbol", "signal__strategy", "signal__public_id"]
    search_help_text = "Symbol, strategy or public id of the signal"
    date_hierarchy = "exited_at"

    @display(description="Ended by", ordering="exit_reason", label=EXIT_LABELS)
    def shown_exit(self, outcome: SignalOutcome) -> str:
        return outcome.get_exit_reason_display()

    @display(description="R after costs", ordering="r_multiple")
    def shown_r(self, outcome: SignalOutcome) -> str:
        return f"{outcome.r_multiple:+.2f}"

    @display(description="Return after costs", ordering="return_ratio")
    def shown_return(self, outcome: SignalOutcome) -> str:
        return f"{outcome.return_ratio:+.2%}"

    @display(description="Best / worst R")
    def shown_excursions(self, outcome: SignalOutcome) -> str:
        return f"{outcome.best_r:+.2f} / {outcome.worst_r:+.2f}"


@admin.register(VolatilityFit)
class VolatilityFitAdmin(ReadOnlyAdmin):
    list_display = ["instrument", "fitted_through", "chosen", "shown_losses", "shown_garch", "returns_used"]
    list_filter = ["chosen", "instrument"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol"]
    date_hierarchy = "fitted_through"

    @display(description="QLIKE out of sample (lower is better)")
    def shown_losses(self, fit: VolatilityFit) -> str:
        return ", ".join(f"{model} {loss:.3f}" for model, loss in sorted(fit.qlike.items())) or "not judged"

    @display(description="GARCH")
    def shown_garch(self, fit: VolatilityFit) -> str:
        return f"α {fit.garch['alpha']:.3f}, β {fit.garch['beta']:.3f}" if fit.garch else "fallback"


@admin.register(AnomalyForest)
class AnomalyForestAdmin(ReadOnlyAdmin):
    list_display = ["instrument", "fitted_through", "rows_used", "sha256"]
    list_filter = ["instrument"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol"]
    date_hierarchy = "fitted_through"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AnomalyForest]:
        return super().get_queryset(request).defer("arrays")


@admin.register(PartnerChoice)
class PartnerChoiceAdmin(ReadOnlyAdmin):
    list_display = ["instrument", "fitted_through", "partner", "correlation"]
    list_filter = ["instrument"]
    list_select_related = ["instrument", "partner"]
    search_fields = ["instrument__symbol", "partner__symbol"]
    date_hierarchy = "fitted_through"


@admin.register(StrategyWeight)
class StrategyWeightAdmin(ReadOnlyAdmin):
    list_display = ["strategy", "instrument", "weight"]
    list_filter = ["strategy", "instrument"]
    list_select_related = ["instrument"]
    search_fields = ["strategy", "instrument__symbol"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "beat_at", "expected_every_seconds", "detail"]
    search_fields = ["name", "detail"]


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ["name", "raised_at", "cleared_at", "detail"]
    list_filter = ["name", ("cleared_at", admin.EmptyFieldListFilter)]
    date_hierarchy = "raised_at"


@admin.register(ScheduledSlot)
class ScheduledSlotAdmin(ReadOnlyAdmin):
    list_display = ["name", "slot", "started_at", "finished_at"]
    list_filter = ["name"]
    search_fields = ["name"]
    date_hierarchy = "slot"
    show_full_result_count = False


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
            "is_armed": switch is not None and switch.is_armed,
            "asked": switch is not None and switch.rearm_is_open(now),
            "changes": KillSwitchChange.objects.all()[:20],
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
                kill_switch.confirm_rearm(code=request.POST.get("code", ""), **who)
            elif not form.is_valid():
                return False
            elif action == "request":
                kill_switch.request_rearm(reason=form.cleaned_data["reason"], **who)
            else:
                kill_switch.engage(reason=form.cleaned_data["reason"], **who)
        except kill_switch.KillSwitchError as error:
            self.message_user(request, str(error), messages.ERROR)
            return action == "confirm"
        return True


@admin.register(KillSwitchChange)
class KillSwitchChangeAdmin(ReadOnlyAdmin):
    list_display = ["changed_at", "event", "changed_by", "reason"]
    list_filter = ["event"]
    search_fields = ["reason", "changed_by"]
    date_hierarchy = "changed_at"


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "shown_state", "shown_progress", "message", "owner", "ended_at"]
    list_filter = ["state", "kind", "queue"]
    search_fields = ["id", "kind", "owner", "error"]
    search_help_text = "Id, kind, owner or error"
    date_hierarchy = "created_at"

    @display(description="State", ordering="state", label=JOB_LABELS)
    def shown_state(self, job: Job) -> str:
        return job.get_state_display()

    @display(description="Progress")
    def shown_progress(self, job: Job) -> str:
        return "–" if job.progress_ratio is None else f"{job.progress_ratio:.0%}"


def change_words(name: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """One field's line, e.g. `state armed → engaged`."""
    new = shown(after[name]) if name in after else "nothing"
    return f"{name} {shown(before[name])} → {new}" if name in before else f"{name} {new}"


def shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@admin.register(Action)
class ActionAdmin(ReadOnlyAdmin):
    """Everything that staff or the machine decided."""

    list_display = ["at", "actor", "what", "target", "change", "address"]
    list_filter = ["what", "actor", ("at", admin.DateFieldListFilter)]
    search_fields = ["actor", "what", "target", "address"]
    search_help_text = "Actor, what was done, to what, or the address it came from"
    date_hierarchy = "at"

    @display(description="Before → after")
    def change(self, action: Action) -> str:
        """Only what differs."""
        before, after = action.before or {}, action.after or {}
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return "; ".join(change_words(name, before, after) for name in names) or "–"


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    list_display = ["trained_at", "kind", "scope", "shown_state", "promoted_at", "reason", "code_version"]
    list_filter = ["state", "kind"]
    list_select_related = ["job"]
    search_fields = ["kind", "scope", "sha256", "reason"]
    date_hierarchy = "trained_at"
    exclude = ["payload"]

    @display(description="State", ordering="state", label=MODEL_LABELS)
    def shown_state(self, model: TrainedModel) -> str:
        return model.get_state_display()

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainedModel]:
        return super().get_queryset(request).defer("payload")


class ExperimentArmInline(TabularInline):
    model = ExperimentArm
    fields = ["position", "name", "variant", "share", "settings"]
    readonly_fields = fields
    can_delete = False
    extra = 0


@admin.register(Experiment)
class ExperimentAdmin(ReadOnlyAdmin):
    list_display = ["name", "assignment", "started_at", "ends_at", "ended_at", "ended_by", "conclusion"]
    list_filter = ["assignment"]
    search_fields = ["name", "question", "conclusion"]
    inlines = [ExperimentArmInline]
