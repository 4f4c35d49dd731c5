"""Live trading: keys, locks, intents for whoever decides; and what the executor does with them."""

from autopilot.services.live.locks import Lock, live_account, locks, refusal

__all__ = ["Lock", "live_account", "locks", "refusal"]
