"""Lists as CSV: what the filters show, every column of the row.

A spreadsheet runs text that begins like a formula: such text gets an apostrophe before it, numbers stay numbers.
"""

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from signals.admin.read_only import ReadOnlyAdmin

FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")
ROWS_AT_ONCE = 1000


class _Line:
    """A file that hands back what is written."""

    def write(self, text: str) -> str:
        return text


class ExportedAdmin(ReadOnlyAdmin):
    """A read-only list with a link that gives the same rows as CSV."""

    list_before_template = "signals/admin/export.html"
    not_exported: tuple[str, ...] = ()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        if request.GET.get("export") != "csv" or not self.has_view_permission(request):
            response: HttpResponse = super().changelist_view(request, extra_context)
            return response
        kept = request.GET.copy()
        del kept["export"]
        request.GET = kept  # type: ignore[assignment]  # of the filters, which refuse what they do not know
        return self.exported(request)

    def exported(self, request: HttpRequest) -> StreamingHttpResponse:
        rows = self.get_changelist_instance(request).get_queryset(request)
        columns = [
            field.attname for field in self.opts.concrete_fields if field.name not in self.not_exported
        ]
        name = f"{self.opts.model_name}-{timezone.now():%Y%m%d-%H%M%S}.csv"
        return StreamingHttpResponse(
            lines(columns, rows.values_list(*columns).iterator(chunk_size=ROWS_AT_ONCE)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def lines(columns: list[str], rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def cell(value: object) -> str:
    """As a spreadsheet may read it without running it."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_BEGINS) else text
