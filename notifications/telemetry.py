"""Prometheus counters of deliveries and of what comes back."""

from prometheus_client import Counter

deliveries = Counter("copilot_deliveries", "Deliveries that reached a state.", ["state"])
unreadable_updates = Counter(
    "copilot_unreadable_updates", "Bodies with the right secret that were no update."
)

for state in ("sent", "retry", "dead", "unknown", "expired"):
    deliveries.labels(state=state)
