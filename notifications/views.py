"""Telegram's webhook. The answer is empty, for Telegram executes a body as a call of its API: that is how the question
before a payment, which wants an answer within ten seconds, gets it.
"""

import hmac
import json

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from notifications import telemetry
from notifications.services.inbox import store_update
from notifications.services.stars import checkout_answer
from notifications.tasks import wake_for_update

LARGEST_BODY = 256 * 1024
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105


@csrf_exempt
@require_POST
def telegram_webhook(request: HttpRequest) -> HttpResponse:
    """200 means that the update is committed; 503 that Telegram shall bring it again."""
    given, secret = request.headers.get(SECRET_HEADER, ""), settings.TELEGRAM_WEBHOOK_SECRET
    if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
        return HttpResponse(status=403)
    try:
        body = request.read(LARGEST_BODY + 1)
    except UnreadablePostError:
        return HttpResponse(status=400)
    if len(body) > LARGEST_BODY:
        return HttpResponse(status=413)
    payload = _parsed(body)
    try:
        if answer := checkout_answer(payload):
            return JsonResponse(answer)
        update_id = store_update(payload=payload, now=timezone.now())
    except (DatabaseError, InterfaceError):
        return HttpResponse(status=503)
    if update_id is None:
        telemetry.unreadable_updates.inc()
    else:
        wake_for_update(update_id)
    return HttpResponse()


def _parsed(body: bytes) -> object:
    """None for what is no JSON: Telegram must not bring it again."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
