"""Where one is logged in, and ending it from here."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from users.events import session_ended
from users.models import StaffSession
from users.services import end_session


@never_cache
@login_required
@require_GET
def my_sessions(request: HttpRequest) -> HttpResponse:
    sessions = StaffSession.objects.under_way(timezone.now()).filter(user_id=request.user.pk or 0)
    context = {"sessions": sessions, "this": request.session.session_key}
    return render(request, "account/sessions.html", context)


@login_required
@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """One of one's own, or with `all` every one but this."""
    now = timezone.now()
    own = StaffSession.objects.under_way(now).filter(user_id=request.user.pk or 0)
    if "all" in request.POST:
        ended = list(own.exclude(session_key=request.session.session_key))
    else:
        ended = [get_object_or_404(own, pk=request.POST.get("session") or 0)]
    for session in ended:
        end_session(session=session, now=now)
        session_ended.send(sender=StaffSession, request=request, session=session)
    messages.success(request, f"{len(ended)} ended: whoever was there is logged out.")
    return HttpResponseRedirect(reverse("my_sessions"))
