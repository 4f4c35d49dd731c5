"""Replays, and the registry of trials: to be read, never edited."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from research.models import (
    Backtest,
    PolicyCheckpoint,
    PortfolioStudy,
    ReplayRun,
    ReplaySignal,
    Study,
    Sweep,
    Trial,
)
from signals.admin import DIRECTION_LABELS, ReadOnlyAdmin, short_hash
from signals.engine.digits import price_text


@admin.register(ReplayRun)
class ReplayRunAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "shown_outcomes", "started_at", "finished_at"]
    first_row = "The first comes with manage.py replay --from DATE --to DATE."
    search_fields = ["pk"]
    date_hierarchy = "started_at"

    @display(description="Evaluations")
    def shown_outcomes(self, run: ReplayRun) -> str:
        return ", ".join(f"{count} {outcome}" for outcome, count in run.outcomes.items()) or "–"


@admin.register(ReplaySignal)
class ReplaySignalAdmin(ReadOnlyAdmin):
    list_display = [
        "published_at",
        "instrument",
        "shown_direction",
        "percent",
        "entry",
        "stop",
        "target",
        "run_number",
    ]
    first_row = "The first comes with manage.py replay, if a signal would have been published then."
    list_filter = ["direction", "instrument", "strategy", "run"]
    list_select_related = ["run", "instrument"]
    search_fields = ["instrument__symbol", "strategy"]
    date_hierarchy = "published_at"

    @display(description="Direction", ordering="direction", label=DIRECTION_LABELS)
    def shown_direction(self, signal: ReplaySignal) -> str:
        return signal.get_direction_display()

    @display(description="Confidence", ordering="confidence")
    def percent(self, signal: ReplaySignal) -> str:
        return f"{signal.confidence:.0%}"

    @display(description="Entry", ordering="entry_price")
    def entry(self, signal: ReplaySignal) -> str:
        return price_text(signal.entry_price, signal.instrument.tick_size)

    @display(description="Stop", ordering="stop_loss")
    def stop(self, signal: ReplaySignal) -> str:
        return price_text(signal.stop_loss, signal.instrument.tick_size)

    @display(description="Target", ordering="take_profit")
    def target(self, signal: ReplaySignal) -> str:
        return (
            "–" if signal.take_profit is None else price_text(signal.take_profit, signal.instrument.tick_size)
        )

    @display(description="Replay", ordering="run")
    def run_number(self, signal: ReplaySignal) -> int:
        return signal.run_id


@admin.register(Study)
class StudyAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "objective", "timeframe", "short", "created_by"]
    first_row = (
        "The first comes with the first research question: a sweep, or a backtest of several combinations."
    )
    list_filter = ["timeframe", "objective"]
    search_fields = ["=dataset_hash", "objective"]
    date_hierarchy = "created_at"

    @display(description="Data")
    def short(self, study: Study) -> SafeString:
        return short_hash(study.dataset_hash)


@admin.register(Trial)
class TrialAdmin(ReadOnlyAdmin):
    """Deleted ones are shown here as well: they count."""

    exclude = ["returns"]

    list_display = [
        "pk",
        "study",
        "state",
        "shown_score",
        "shown_sharpe",
        "observations",
        "owner",
        "started_at",
        "deleted_at",
    ]
    first_row = "The first comes with the first combination that is tried."
    list_filter = ["state"]
    list_select_related = ["study"]
    search_fields = ["=combination", "owner", "error"]
    date_hierarchy = "started_at"

    @display(description="Score", ordering="score")
    def shown_score(self, trial: Trial) -> str:
        return "–" if trial.score is None else f"{trial.score:+.3f}"

    @display(description="Sharpe per period", ordering="sharpe_ratio")
    def shown_sharpe(self, trial: Trial) -> str:
        return "–" if trial.sharpe_ratio is None else f"{trial.sharpe_ratio:+.3f}"


class AskedAdmin(ReadOnlyAdmin):
    """What somebody asked for on a page and the job that did it; the results are shown there."""

    list_display = ["title", "shown_state", "owner", "created_at", "archived_at"]
    list_select_related = ["job"]
    search_fields = ["title", "owner"]
    date_hierarchy = "created_at"
    exclude = ["arrays", "report"]

    @display(description="State", ordering="job__state")
    def shown_state(self, row: Backtest | PortfolioStudy | Sweep) -> str:
        return row.job.get_state_display()


@admin.register(Backtest)
class BacktestAdmin(AskedAdmin):
    first_row = "The first comes with the form of the page Backtests."


@admin.register(PortfolioStudy)
class PortfolioStudyAdmin(AskedAdmin):
    first_row = "The first comes with the form of the page Portfolio."


@admin.register(Sweep)
class SweepAdmin(AskedAdmin):
    first_row = "The first comes with the form of the page Sweeps, or manage.py sweep."


@admin.register(PolicyCheckpoint)
class PolicyCheckpointAdmin(ReadOnlyAdmin):
    """Without the arrays: they are for the training that goes on."""

    list_display = ["kept_at", "name", "step", "job"]
    first_row = "One stands here while a policy is trained; it goes with the end of its job."
    list_select_related = ["job"]
    search_fields = ["name", "sha256"]
    date_hierarchy = "kept_at"
    exclude = ["arrays"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PolicyCheckpoint]:
        return super().get_queryset(request).defer("arrays")
