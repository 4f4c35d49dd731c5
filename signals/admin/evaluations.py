"""What came of each closed candle."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from signals.admin.read_only import ReadOnlyAdmin, one_line
from signals.engine.timeframe import TIMEFRAME_WEIGHTS
from signals.engine.unusual import is_unusual
from signals.models import Evaluation

OUTCOME_WORDS = {"none": "No signal"}
OUTCOME_LABELS = {"Signal": "success", "No signal": "info", "Refused": "warning", "Abstained": "warning"}


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = [
        "candle_open_time",
        "instrument",
        "shown_outcome",
        "shown_score",
        "why",
    ]
    first_row = "The first comes when the next 1h candle closes, a few seconds after the full hour."
    readonly_fields = [
        "shown_outcome",
        "shown_score",
        "shown_volatility",
        "shown_anomaly",
        "shown_patterns",
        "shown_model_votes",
    ]
    exclude = ["outcome", "score"]
    list_filter = ["outcome", "instrument", "source", "timeframe"]
    list_select_related = ["instrument__exchange", "signal__instrument"]
    search_fields = ["reason", "instrument__symbol"]
    search_help_text = "Reason or symbol"
    date_hierarchy = "candle_open_time"

    @display(description="Reason", ordering="reason")
    def why(self, evaluation: Evaluation) -> SafeString:
        return one_line(evaluation.reason)

    @display(description="Outcome", ordering="outcome", label=OUTCOME_LABELS)
    def shown_outcome(self, evaluation: Evaluation) -> str:
        return OUTCOME_WORDS.get(evaluation.outcome) or evaluation.get_outcome_display()

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

    @display(description="Anomaly")
    def shown_anomaly(self, evaluation: Evaluation) -> str:
        score = evaluation.features.get("anomaly")
        if score is None:
            return "–"
        return f"{score:.2f} unusual" if is_unusual(score) else f"{score:.2f}"

    @display(description="Models' votes")
    def shown_model_votes(self, evaluation: Evaluation) -> str:
        known = evaluation.features
        said = []
        if "selector_vote" in known:
            said.append(f"selector {known['selector_vote']:+.2f} at weight {known['selector_weight']:.2f}")
        if chosen := known.get("policy_chosen"):
            said.append(f"{chosen} {known[f'policy_{chosen}']:+.0f} at weight {known['policy_weight']:.2f}")
        return ", ".join(said) or "–"

    @display(description="Patterns 1h / 4h / 1d")
    def shown_patterns(self, evaluation: Evaluation) -> str:
        scores = [evaluation.features.get(f"pattern_{timeframe}") for timeframe in TIMEFRAME_WEIGHTS]
        return " / ".join("–" if score is None else f"{score:+.2f}" for score in scores)
