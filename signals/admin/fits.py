"""Daily fits and evidence that decisions read."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from signals.admin.read_only import ReadOnlyAdmin
from signals.engine.evidence import figures
from signals.models import (
    AnomalyForest,
    Evidence,
    PartnerChoice,
    PolicyChoice,
    ShadowOutcome,
    VolatilityFit,
)


@admin.register(VolatilityFit)
class VolatilityFitAdmin(ReadOnlyAdmin):
    list_display = ["instrument", "fitted_through", "chosen", "shown_losses", "shown_garch", "returns_used"]
    first_row = "The first is fitted at night, once an instrument has a hundred 1h candles."
    list_filter = ["chosen", "instrument"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol"]
    date_hierarchy = "fitted_through"

    @display(description="QLIKE")
    def shown_losses(self, fit: VolatilityFit) -> str:
        return ", ".join(f"{model} {loss:.3f}" for model, loss in sorted(fit.qlike.items())) or "not judged"

    @display(description="GARCH")
    def shown_garch(self, fit: VolatilityFit) -> str:
        return f"α {fit.garch['alpha']:.3f}, β {fit.garch['beta']:.3f}" if fit.garch else "fallback"


@admin.register(AnomalyForest)
class AnomalyForestAdmin(ReadOnlyAdmin):
    list_display = ["instrument", "fitted_through", "rows_used"]
    first_row = "The first is grown at night, once an instrument has enough 1h candles."
    list_filter = ["instrument"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol"]
    date_hierarchy = "fitted_through"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AnomalyForest]:
        return super().get_queryset(request).defer("arrays")


@admin.register(PartnerChoice)
class PartnerChoiceAdmin(ReadOnlyAdmin):
    list_display = ["instrument", "fitted_through", "partner", "shown_correlation"]
    first_row = "The first is chosen at night, once two instruments have 90 days of 1h candles."
    list_filter = ["instrument"]
    list_select_related = ["instrument", "partner"]
    search_fields = ["instrument__symbol", "partner__symbol"]
    date_hierarchy = "fitted_through"

    @display(description="Correlation", ordering="correlation")
    def shown_correlation(self, choice: PartnerChoice) -> str:
        return "–" if choice.correlation is None else f"{choice.correlation:+.2f}"


@admin.register(PolicyChoice)
class PolicyChoiceAdmin(ReadOnlyAdmin):
    list_display = ["instrument", "fitted_through", "shown_kind", "shown_weight"]
    first_row = "The first is made within ten minutes once a trained policy has passed its gates."
    list_filter = ["kind", "instrument"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol"]
    date_hierarchy = "fitted_through"

    @display(description="Speaks", ordering="kind")
    def shown_kind(self, choice: PolicyChoice) -> str:
        return choice.kind.upper() or "neither"

    @display(description="Weight", ordering="weight")
    def shown_weight(self, choice: PolicyChoice) -> str:
        return f"{choice.weight:.0%}"


@admin.register(Evidence)
class EvidenceAdmin(ReadOnlyAdmin):
    list_display = [
        "known_at",
        "shown_kind",
        "standing",
        "shown_together",
        "shown_history",
        "shown_live",
        "reason",
    ]
    first_row = "The first is measured within a day, once candles are stored; until then the gate abstains."
    list_filter = ["standing", "source", "group", "side", "plan", "asset_class"]
    search_fields = ["group", "reason", "candidate"]
    date_hierarchy = "known_at"

    @display(description="Kind")
    def shown_kind(self, row: Evidence) -> str:
        return str(row.kind)

    @display(description="Together, drawn to the group")
    def shown_together(self, row: Evidence) -> str:
        return figures(row.measured)

    @display(description="History")
    def shown_history(self, row: Evidence) -> str:
        return "–" if row.history_mean is None else f"{row.history_mean:+.2f} R ({row.history_n})"

    @display(description="Live")
    def shown_live(self, row: Evidence) -> str:
        return "–" if row.live_mean is None else f"{row.live_mean:+.2f} R ({row.live_n})"


@admin.register(ShadowOutcome)
class ShadowOutcomeAdmin(ReadOnlyAdmin):
    list_display = [
        "candle_open_time",
        "instrument",
        "timeframe",
        "strategy",
        "direction",
        "exit_reason",
        "shown_r",
    ]
    first_row = (
        "The first is a decision that the gate keeps back: it is followed all the same, and never published."
    )
    list_filter = ["exit_reason", "instrument", "strategy", "timeframe", "source"]
    list_select_related = ["instrument"]
    search_fields = ["instrument__symbol", "strategy"]
    date_hierarchy = "candle_open_time"

    @display(description="R", ordering="r_multiple")
    def shown_r(self, row: ShadowOutcome) -> str:
        return "open" if row.r_multiple is None else f"{row.r_multiple:+.2f}"
