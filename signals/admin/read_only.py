"""What every list of rows that only the system writes has in common, and how lists write what is long."""

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from signals.market.admin import one_line

__all__ = ["DIRECTION_LABELS", "ReadOnlyAdmin", "one_line", "short_hash"]

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


def short_hash(digest: str) -> SafeString:
    """Enough to tell it from others; the rest in its title and on the row's own page."""
    return format_html('<code title="{}">{}…</code>', digest, digest[:12])
