"""Published signals, how they ended, and how subscribers' answers weigh."""

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import display

from signals.admin.read_only import DIRECTION_LABELS, ReadOnlyAdmin
from signals.engine.digits import price_text
from signals.models import Signal, SignalOutcome, StrategyWeight
from signals.services.weights import weight_at

HISTORY_SHOWN = 100
EXIT_LABELS = {"Target": "success", "Stop": "danger", "Expiry": "info"}


@admin.register(Signal)
class SignalAdmin(ReadOnlyAdmin):
    list_display = [
        "shown_sequence",
        "instrument",
        "shown_direction",
        "percent",
        "entry",
        "stop",
        "target",
        "shown_strategy",
        "published_at",
    ]
    first_row = (
        "The first signal comes when a 1h candle closes and the strategies agree; until then the evaluations say "
        "why not, candle by candle."
    )
    list_filter = ["direction", "instrument", "strategy", "source", "experimental", "timeframe"]
    list_select_related = ["instrument__exchange"]
    search_fields = ["public_id", "instrument__symbol", "strategy", "ledger_entry__hash"]
    search_help_text = "Symbol, strategy, public id or hash"
    date_hierarchy = "published_at"
    readonly_fields = ["percent", "entry", "stop", "target"]
    fieldsets = [
        (None, {"fields": ["instrument", "timeframe", "direction", "percent", "reasons"]}),
        (
            "Probability of profit after costs",
            {"fields": ["probability", "probability_n", "probability_low", "probability_high"]},
        ),
        ("Prices", {"fields": ["entry", "stop", "target", "plan"]}),
        ("Gate", {"fields": ["standing", "evidence"]}),
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

    @display(description="Strategy", ordering="strategy")
    def shown_strategy(self, signal: Signal) -> str:
        return signal.strategy.replace("_", " ")

    @display(description="Entry", ordering="entry_price")
    def entry(self, signal: Signal) -> str:
        return price_text(signal.entry_price, signal.instrument.tick_size)

    @display(description="Stop", ordering="stop_loss")
    def stop(self, signal: Signal) -> str:
        return price_text(signal.stop_loss, signal.instrument.tick_size)

    @display(description="Target", ordering="take_profit")
    def target(self, signal: Signal) -> str:
        return (
            "–" if signal.take_profit is None else price_text(signal.take_profit, signal.instrument.tick_size)
        )


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
    ]
    first_row = (
        "The first comes when a signal reaches its stop, its target or its time: for 1h signals within a day."
    )
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


@admin.register(StrategyWeight)
class StrategyWeightAdmin(ReadOnlyAdmin):
    list_display = ["strategy", "instrument", "shown_weight", "left_now", "answers", "changed_at"]
    first_row = "The first comes when a subscriber presses “Acted” or “Ignored” under a signal."
    list_filter = ["strategy", "instrument"]
    list_select_related = ["instrument"]
    search_fields = ["strategy", "instrument__symbol"]

    fields = ["strategy", "instrument", "shown_weight", "left_now", "answers", "changed_at", "history"]
    readonly_fields = fields

    @display(description="Left of it now")
    def left_now(self, row: StrategyWeight) -> str:
        """Half of what differs from 1 is gone after a month without answers."""
        return f"{weight_at(row.weight, row.changed_at, timezone.now()):.3f}"

    @display(description="History, the newest first")
    def history(self, row: StrategyWeight) -> SafeString:
        """After each answer."""
        events = StrategyWeight.pgh_event_model.objects  # type: ignore[attr-defined]  # pghistory adds it
        newest = events.filter(pgh_obj_id=row.pk).order_by("-pgh_id")[:HISTORY_SHOWN]
        return format_html_join(
            mark_safe("<br>"),
            "{}: {}",
            ((f"{e.pgh_created_at:%Y-%m-%d %H:%M}", f"{e.weight:.3f}") for e in newest),
        )

    @display(description="Weight", ordering="weight")
    def shown_weight(self, row: StrategyWeight) -> str:
        return f"{row.weight:.2f}"
