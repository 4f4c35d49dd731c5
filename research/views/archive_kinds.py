"""The archive's tables of orders, trades and decisions: narrowed, paged by key, and as files."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from research.filters import KindFilter
from research.selectors.archive import COUNTED_TO, count_to_limit
from research.selectors.archive_kinds import KINDS, Kind, kind_columns, kind_row, kind_rows, narrowed
from research.selectors.table_export import csv_pieces, parquet_of_rows
from research.views.page import page

PAGE_ROWS = 50
MOST_IN_PARQUET = 200_000


def archive_kind(request: HttpRequest, name: str) -> HttpResponse:
    """Pages follow the row's number (`before`): the thousandth is as quick as the first."""
    kind = _kind(request, name)
    form = KindFilter(request.GET, kind=kind)
    rows = narrowed(kind, form.asked())
    before = request.GET.get("before", "")
    here = rows.filter(pk__lt=int(before)) if before.isdecimal() and len(before) < 19 else rows
    found = list(here[: PAGE_ROWS + 1])
    columns = kind_columns(kind, request.GET.getlist("column"))
    count = count_to_limit(rows)
    context: dict[str, Any] = {
        "form": form,
        "name": name,
        "kind": kind,
        "tabs": archive_tabs(request, name),
        "columns": [(each, each.replace("_", " ")) for each in columns],
        "every_column": [(each, each.replace("_", " "), each in columns) for each in kind.columns],
        "rows": [
            list(zip(columns, kind_row(kind, each, columns), strict=True)) for each in found[:PAGE_ROWS]
        ],
        "count": min(count, COUNTED_TO),
        "is_more": count > COUNTED_TO,
        "next_before": found[PAGE_ROWS - 1].pk if len(found) > PAGE_ROWS else None,
        "is_first": not before,
    }
    return page(request, "research/archive_kind.html", f"Archive: {kind.title.lower()}", context)


def export_kind(request: HttpRequest, name: str, form: str) -> HttpResponse | StreamingHttpResponse:
    kind = _kind(request, name)
    rows = narrowed(kind, KindFilter(request.GET, kind=kind).asked())
    columns = kind_columns(kind, request.GET.getlist("column"))
    answer: HttpResponse | StreamingHttpResponse
    if form == "parquet":
        body = parquet_of_rows(columns, kind_rows(kind, rows[:MOST_IN_PARQUET], columns))
        answer = HttpResponse(body, content_type="application/vnd.apache.parquet")
    else:
        pieces = csv_pieces(columns, kind_rows(kind, rows, columns))
        answer = StreamingHttpResponse(pieces, content_type="text/csv")
    answer["Content-Disposition"] = f'attachment; filename="{name}-{timezone.now():%Y-%m-%d}.{form}"'
    return answer


def archive_tabs(request: HttpRequest, shown: str) -> list[tuple[str, str, bool]]:
    """Signals and what else the person may see."""
    from django.urls import reverse  # noqa: PLC0415

    found = [("Signals", reverse("research:archive"), shown == "signals")]
    for name, kind in KINDS.items():
        if request.user.has_perm(kind.right):
            found.append((kind.title, reverse("research:archive_kind", args=[name]), shown == name))
    return found


def _kind(request: HttpRequest, name: str) -> Kind:
    if name not in KINDS:
        raise Http404
    if not request.user.has_perm(KINDS[name].right):
        raise PermissionDenied
    return KINDS[name]
