"""The Autopilot page: what runs, what it decided and why, and the form that starts another."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from autopilot.engine.cycle import Mode
from autopilot.forms import StartForm
from autopilot.models import Decision, Instance
from autopilot.services import instances
from autopilot.services.instances import (
    ConfirmationMissingError,
    InstanceConflictError,
    InvalidSettingError,
    start_instance,
)
from autopilot.views.page import page
from signals.engine.timeframe import Timeframe

DECISIONS_SHOWN = 15


def autopilots(request: HttpRequest) -> HttpResponse:
    """What runs; a POST starts one."""
    if request.method == "POST":
        if not request.user.has_perm("autopilot.change_instance"):
            return HttpResponse(status=403)
        return _start(request)
    offered = {name: request.GET[name] for name in StartForm.base_fields if name in request.GET}
    return _shown(request, StartForm(initial=offered))


def autopilots_state(request: HttpRequest) -> HttpResponse:
    """The lists without the page around them; HTMX asks for it."""
    return render(request, "autopilot/autopilots_state.html", _state())


def firing(request: HttpRequest) -> HttpResponse:
    """How often the threshold that is typed would have fired; HTMX asks for it when the choice changes."""
    from autopilot.services.firing import ASKED_DAYS, firing_of  # noqa: PLC0415  (compiled code)

    form = StartForm(request.GET)
    form.is_valid()
    given = form.cleaned_data
    context: dict[str, Any] = {"asked_days": ASKED_DAYS}
    if {"instrument", "timeframe", "mode"} <= given.keys():
        context["instrument"], context["timeframe"] = given["instrument"], given["timeframe"]
        context["threshold"] = threshold = given.get("min_confidence_threshold")
        found = firing_of(
            instrument=given["instrument"],
            timeframe=Timeframe(given["timeframe"]),
            mode=Mode(given["mode"]),
            as_of=timezone.now(),
        )
        if found is not None:
            query = request.GET.copy()
            query["min_confidence_threshold"] = "" if found.weekly is None else f"{found.weekly:g}"
            context |= {
                "found": found,
                "spoke": len(found.scores),
                "fired": None if threshold is None else found.count(threshold),
                "highest": float(found.scores[0]) if len(found.scores) else None,
                "weekly_query": query.urlencode(),
                "weekly_count": 0 if found.weekly is None else found.count(found.weekly),
            }
    return render(request, "autopilot/firing.html", context)


@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop, pause, resume, change mode or threshold, switch automatic execution: what the button says."""
    instance = get_object_or_404(Instance.objects.select_related("instrument__exchange"), pk=pk)
    wanted = request.POST.get("do", "")
    try:
        done = _done(request, instance, wanted)
    except (ConfirmationMissingError, InvalidSettingError, ValueError) as error:
        messages.error(request, f"Nothing was changed: {error}.")
    else:
        if done:
            messages.success(request, done)
        else:
            messages.info(request, "Nothing was changed: it stood so already.")
    return HttpResponseRedirect(reverse("autopilot:instance", args=[pk]))


def _done(request: HttpRequest, instance: Instance, wanted: str) -> str:
    who: dict[str, Any] = {"by": request.user.get_username(), "now": timezone.now()}
    same = {"instance": instance, **who}
    if wanted == "stop":
        timeframe = Timeframe(instance.timeframe)
        stopped = instances.stop_instance(instrument=instance.instrument, timeframe=timeframe, **who)
        return "It is stopped. What is held stays held, with its stop and target." if stopped else ""
    if wanted == "pause":
        return "It is paused." if instances.pause_instance(**same) else ""
    if wanted == "resume":
        return "It goes on." if instances.resume_instance(**same) else ""
    if wanted == "mode":
        return (
            "The next cycle decides by the new mode."
            if instances.change_mode(mode=Mode(request.POST.get("mode", "")), **same)
            else ""
        )
    if wanted == "threshold":
        threshold = float(request.POST.get("threshold", ""))
        return "The threshold is changed." if instances.change_threshold(threshold=threshold, **same) else ""
    if wanted in {"auto_on", "auto_off"}:
        changed = instances.change_auto_execute(
            auto_execute=wanted == "auto_on", confirmed=request.POST.get("confirmed") == "on", **same
        )
        told = (
            "Orders on paper follow its signals from now on." if wanted == "auto_on" else "No order follows."
        )
        return told if changed else ""
    raise ValueError(f"nobody knows how to {wanted or 'do nothing'}")


def _start(request: HttpRequest) -> HttpResponse:
    form = StartForm(request.POST)
    if form.is_valid():
        given = dict(form.cleaned_data)
        try:
            instance, created = start_instance(
                instrument=given.pop("instrument"),
                timeframe=Timeframe(given.pop("timeframe")),
                mode=Mode(given.pop("mode")),
                by=request.user.get_username(),
                now=timezone.now(),
                **given,
            )
        except InstanceConflictError as error:
            form.add_error(None, f"{error}.")
        except ConfirmationMissingError as error:
            form.add_error("confirmed", f"{error}.")
        except InvalidSettingError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            told = "started; its first decision comes within seconds" if created else "running already"
            messages.success(request, f"The autopilot on {instance} is {told}.")
            return HttpResponseRedirect(reverse("autopilot:instance", args=[instance.pk]))
    return _shown(request, form, status=422)


def _shown(request: HttpRequest, form: StartForm, status: int = 200) -> HttpResponse:
    context = _state() | {
        "form": form,
        "may_change": request.user.has_perm("autopilot.change_instance"),
    }
    answer = page(request, "autopilot/autopilots.html", "Autopilot", context)
    answer.status_code = status
    return answer


def _state() -> dict[str, Any]:
    standing = Instance.objects.live().select_related("instrument__exchange", "account")
    return {
        "now": timezone.now(),
        "standing": standing.order_by("instrument__symbol", "timeframe"),
        "decisions": Decision.objects.exclude(outcome="unchanged").select_related(
            "instance__instrument", "signal", "order__instrument"
        )[:DECISIONS_SHOWN],
        "shows_instance": True,
    }
