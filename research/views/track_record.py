"""The public track record and what it can be checked with. No login, no session, no cookie."""

from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from notifications.services.receipts import public_receipt
from research.models import TrackRecord
from research.selectors.ledger_export import export_lines, head_file, longest_delay, public_heads
from signals.engine.ledger import canonical_json
from signals.models import LedgerHead
from users.api.views import as_uuids

SECONDS_CACHED = 300
HEADS_SHOWN = 30
EXPORT, HEAD, KEY, SCRIPT = "ledger.jsonl", "head.json", "public-key.txt", "verify_ledger.py"


def public_record() -> TrackRecord | None:
    """The newest whose head is old enough for every tier, by the delays of now."""
    records = TrackRecord.objects.filter(head__signed_at__lte=timezone.now() - longest_delay())
    return records.select_related("head").first()


def version(request: HttpRequest, name: str = "") -> str:
    record = public_record()
    return f'"{record.pk if record else 0}{name}"'


@require_safe
@cache_control(public=True, max_age=SECONDS_CACHED)
@condition(etag_func=version)
def track_record(request: HttpRequest) -> HttpResponse:
    record = public_record()
    heads = public_heads(timezone.now())
    context = {
        "record": record,
        "figures": record.figures if record else None,
        "heads": heads[:HEADS_SHOWN],
        "keys": list(dict.fromkeys(head.public_key for head in heads)),
        "is_simulated": settings.SANDBOX,
        "files": (EXPORT, HEAD, KEY, SCRIPT),
    }
    # Without the request no context processor runs: nothing looks at a session, so none is begun.
    return HttpResponse(render_to_string("track_record/page.html", context))


@require_safe
@cache_control(public=True, max_age=SECONDS_CACHED)
@condition(etag_func=version)
def track_record_file(request: HttpRequest, name: str) -> HttpResponse:
    """One of the files beside the page. All of one moment belong to the same head."""
    if name == SCRIPT:
        return attachment(name, Path(str(finders.find("copilot/verify_ledger.py"))).read_bytes())
    record = public_record()
    if record is None or name not in (EXPORT, HEAD, KEY):
        raise Http404
    if name == EXPORT:
        return attachment(name, export_of(record.head_id))
    return attachment(
        name, head_file(record.head) if name == HEAD else f"{record.head.public_key}\n".encode()
    )


@require_safe
@cache_control(public=True, max_age=SECONDS_CACHED)
def track_record_receipt(request: HttpRequest) -> HttpResponse:
    """The receipt of one signal under the public head, as a file. 404 for whatever that head does not count."""
    record, asked = public_record(), request.GET.get("signal", "").strip()
    ids = as_uuids(asked)
    found = public_receipt(signal_public_id=ids[0], head=record.head) if record and ids else None
    if found is None:
        return HttpResponse(
            render_to_string("track_record/no_receipt.html", {"asked": asked}), status=HTTPStatus.NOT_FOUND
        )
    return attachment(f"receipt-{ids[0]}.json", canonical_json(found) + b"\n")


@lru_cache(maxsize=1)
def export_of(head_id: int) -> bytes:
    """What a head covers never changes, so one copy serves everybody until the next head."""
    return b"".join(export_lines(LedgerHead.objects.get(pk=head_id)))


def attachment(name: str, content: bytes) -> HttpResponse:
    kind = "application/json" if name.endswith(".json") else "text/plain; charset=utf-8"
    return HttpResponse(
        content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
