"""What every list of rows that only the system writes has in common, and how lists write what is long."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.db.models import DecimalField, FloatField, JSONField, Model
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from signals.engine.plain import plain
from signals.market.admin import one_line

__all__ = ["DIRECTION_LABELS", "ReadOnlyAdmin", "one_line", "readers_digits", "short_hash"]

LARGE = 1_000
DIRECTION_LABELS = {"Long": "success", "Short": "danger"}


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the system writes."""

    actions: list[str] | None = None
    # Told where the list is empty: when its first row will come.
    first_row = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[tuple[Any, Any]]:
        """Amounts without the zeros that their column pads them with."""
        amounts = {
            field.name: plain_amount(field.name, str(field.verbose_name))
            for field in self.model._meta.concrete_fields  # noqa: SLF001  (Django's documented API)
            if isinstance(field, DecimalField)
        }
        return [
            (title, options | {"fields": [amounts.get(name, name) for name in options["fields"]]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """Nobody can save this page, so its row may carry numbers as they are read."""
        if context.get("original"):
            _in_readers_digits(context["original"])
        return super().render_change_form(request, context, *args, **options)


@cache
def plain_amount(name: str, title: str) -> Callable[[Model], str]:
    """A column of the page of one row."""

    @display(description=title)
    def shown(row: Model) -> str:
        amount = getattr(row, name)
        return "–" if amount is None else plain(amount)

    return shown


def _in_readers_digits(row: Model) -> None:
    for field in row._meta.concrete_fields:  # noqa: SLF001  (Django's documented API)
        if isinstance(field, FloatField | JSONField):
            setattr(row, field.attname, readers_digits(getattr(row, field.attname)))


def readers_digits(value: Any) -> Any:
    """Floats, also inside of lists and mappings, to five digits, and to cents where they are larger."""
    if isinstance(value, float):
        return round(value, 2) if abs(value) >= LARGE else float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: readers_digits(each) for name, each in value.items()}
    return [readers_digits(each) for each in value] if isinstance(value, list) else value


def short_hash(digest: str) -> SafeString:
    """Enough to tell it from others; the rest in its title and on the row's own page."""
    return format_html('<code title="{}">{}…</code>', digest, digest[:12])
