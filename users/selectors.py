"""What changed in a row whose history pghistory keeps: the old value and the new one, and who did it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model
from pghistory.models import Events

CHANGES_SHOWN = 100


@dataclass(frozen=True)
class Change:
    """One field of one change; `by` is empty where nobody was logged in, `why` where nothing was said."""

    at: datetime
    field: str
    old: Any
    new: Any
    by: str
    why: str = ""


def changes_of(row: Model) -> list[Change]:
    """The newest first. Fields that the history leaves out (personal data, secrets) are not among them."""
    events = Events.objects.tracks(row).order_by("-pgh_created_at", "-pgh_id")[:CHANGES_SHOWN]
    return [change for event in events for change in _changes(row, event)]


def _changes(row: Model, event: Any) -> Iterator[Change]:
    names = {field.attname: str(field.verbose_name) for field in row._meta.concrete_fields}  # noqa: SLF001
    context = event.pgh_context or {}
    by, why = context.get("user") or context.get("actor", ""), context.get("why", "")
    for name, (old, new) in (event.pgh_diff or {}).items():
        yield Change(event.pgh_created_at, names.get(name, name), old, new, str(by), str(why))
