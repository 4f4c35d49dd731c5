"""Prometheus counters of the signal side; "metrics" means Sharpe in this system."""

from typing import Literal

from prometheus_client import Counter

OUTSIDE_CALLS = Counter(
    "copilot_outside_calls", "Requests to services outside, by service and outcome.", ["service", "outcome"]
)


def expect_outside_calls(service: str) -> None:
    """Make both counters exist at zero: a rate misses the failure with which its counter appears."""
    for outcome in ("ok", "error"):
        OUTSIDE_CALLS.labels(service=service, outcome=outcome)


def count_outside_call(service: str, outcome: Literal["ok", "error"]) -> None:
    OUTSIDE_CALLS.labels(service=service, outcome=outcome).inc()


SIGNALS_PUBLISHED = Counter("copilot_signals_published", "Signals published, by source.", ["source"])

MODEL_LOADS = Counter("copilot_model_loads", "Models read for a decision, by outcome.", ["outcome"])
for outcome in ("ok", "error"):
    MODEL_LOADS.labels(outcome=outcome)

SENTIMENT_COST = Counter(
    "copilot_sentiment_cost_usd", "What sources of sentiment cost, in US dollars.", ["source"]
)
SENTIMENT_READINGS = Counter(
    "copilot_sentiment_readings", "Readings of sentiment kept, by source.", ["source"]
)
SENTIMENT_DROPPED = Counter(
    "copilot_sentiment_dropped", "Readings that were told and not believed, by source.", ["source"]
)
