"""The audit record: who did what to what, in the transaction in which it was done."""

from datetime import datetime
from typing import Any

from signals.models import Action


def record_action(
    *,
    actor: str,
    what: str,
    target: str,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    address: str = "",
) -> Action:
    """Add one entry. `actor` and `target` are words that are understood after both are gone."""
    if not actor.strip() or not what.strip():
        raise ValueError("an action needs an actor and what was done")
    return Action.objects.create(
        actor=actor, what=what, target=target, before=before, after=after, address=address, at=now
    )
