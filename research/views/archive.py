"""The archive: every signal there ever was, narrowed, with its full reasons, and as a file."""

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from research.filters import ArchiveFilter
from research.selectors.archive import COLUMNS, COUNTED_TO, chosen_columns, count_to_limit, row, rows
from research.selectors.table_export import csv_pieces, parquet_of_rows
from research.views.archive_kinds import MOST_IN_PARQUET, archive_tabs
from research.views.page import page

PAGE_ROWS = 50


def archive(request: HttpRequest) -> HttpResponse:
    """Pages follow the ledger's sequence (`before`): the thousandth is as quick as the first."""
    form = ArchiveFilter(request.GET or None) if request.GET else ArchiveFilter({})
    narrowed = form.narrowed()
    before = request.GET.get("before", "")
    here = narrowed
    if before.isdecimal() and len(before) < 19:
        here = narrowed.filter(ledger_entry_id__lt=int(before))
    found = list(here.select_related("instrument__exchange", "outcome")[: PAGE_ROWS + 1])
    columns = chosen_columns(request.GET.getlist("column"))
    # A page that holds them all has counted them: a rare word in the reasons is looked for once, not twice.
    is_whole = not before and len(found) <= PAGE_ROWS
    count = len(found) if is_whole else count_to_limit(narrowed)
    context: dict[str, Any] = {
        "form": form,
        "tabs": archive_tabs(request, "signals"),
        "columns": [(name, name.replace("_", " ")) for name in columns],
        "every_column": [(name, name.replace("_", " "), name in columns) for name in COLUMNS],
        "rows": [(each, list(zip(columns, row(each, columns), strict=True))) for each in found[:PAGE_ROWS]],
        "count": min(count, COUNTED_TO),
        "is_more": count > COUNTED_TO,
        "next_before": found[PAGE_ROWS - 1].ledger_entry_id if len(found) > PAGE_ROWS else None,
        "is_first": not before,
    }
    return page(request, "research/archive.html", "Archive", context)


def export(request: HttpRequest) -> StreamingHttpResponse:
    """All that the filter leaves, in the chosen columns."""
    form = ArchiveFilter(request.GET)
    columns = chosen_columns(request.GET.getlist("column"))
    answer = StreamingHttpResponse(
        csv_pieces(columns, rows(form.narrowed(), columns)), content_type="text/csv"
    )
    answer["Content-Disposition"] = f'attachment; filename="signals-{timezone.now():%Y-%m-%d}.csv"'
    return answer


def export_parquet(request: HttpRequest) -> HttpResponse:
    """The newest MOST_IN_PARQUET of them: such a file is whole in memory before it is sent."""
    columns = chosen_columns(request.GET.getlist("column"))
    found = ArchiveFilter(request.GET).narrowed()
    body = parquet_of_rows(columns, rows(found, columns, MOST_IN_PARQUET))
    answer = HttpResponse(body, content_type="application/vnd.apache.parquet")
    answer["Content-Disposition"] = f'attachment; filename="signals-{timezone.now():%Y-%m-%d}.parquet"'
    return answer
