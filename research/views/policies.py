"""AI management, policies: train them, see how they learnt, what the gates say, what they do, and who speaks."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from research.charts.figure import figure
from research.charts.policy import action_map, curves_figure
from research.forms import PolicyTrainingForm
from research.selectors import policies as selectors
from research.services.policy_request import ask_for_training
from research.views.jobs import job_context
from research.views.page import page
from signals.market.models import Instrument
from signals.models import ENDED, Job, ModelState, TrainedModel
from signals.services.trained_models import ModelStateError, roll_back

PAGE_ROWS = 25
CURVE_SECONDS = 5


def policies(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _asked(request)
    return _shown(request, PolicyTrainingForm())


def policy(request: HttpRequest, pk: int) -> HttpResponse:
    model = _model(pk)
    instruments = selectors.instruments_of(model)
    chosen = _chosen(request, instruments)
    context: dict[str, Any] = {
        "model": model,
        "figures": selectors.row_of(model),
        "gates": model.metrics.get("gates", []),
        "curves": curves_figure(model.metrics.get("curves", {})),
        "instruments": instruments,
        "chosen": chosen,
        "may_roll_back": model.state == ModelState.CHAMPION
        and request.user.has_perm("signals.change_trainedmodel"),
    }
    return page(request, "research/policy.html", f"{model.kind.upper()} policy {model.pk}", context)


def actions_figure(request: HttpRequest, pk: int) -> HttpResponse:
    """The newest candles of an instrument with the position that the policy wants at each."""
    from research.services.policy_actions import wanted_positions  # noqa: PLC0415  (compiled code)

    model = _model(pk)
    instrument = _chosen(request, selectors.instruments_of(model))
    if instrument is None:
        return JsonResponse(figure([]))
    shown = wanted_positions(model=model, instrument=instrument, as_of=timezone.now())
    return JsonResponse(action_map(*shown, name=instrument.symbol) if shown else figure([]))


def training(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A training under way or ended: its progress, its curves as they grow, and the policies that came of it."""
    job = get_object_or_404(Job, pk=pk, kind="train_policy")
    context = job_context(request, job) | {
        "curve_url": reverse("research:policy_training_curve", args=[pk]),
        "every_seconds": None if job.has_ended else CURVE_SECONDS,
        "rows": [selectors.row_of(model) for model in job.models.defer("payload")],
    }
    return page(request, "research/policy_training.html", "Training of policies", context)


def training_curve(request: HttpRequest, pk: UUID) -> HttpResponse:
    job = get_object_or_404(Job, pk=pk, kind="train_policy")
    return JsonResponse(curves_figure((job.checkpoint or {}).get("curves", {})))


@require_POST
def go_back(request: HttpRequest, pk: int) -> HttpResponse:
    """To the champion before this one."""
    model = _model(pk)
    back = HttpResponseRedirect(reverse("research:policies"))
    if model.state != ModelState.CHAMPION:
        messages.error(request, f"{model} is no champion")
        return back
    try:
        again = roll_back(
            kind=model.kind, scope=model.scope, by=request.user.get_username(), now=timezone.now()
        )
        messages.success(request, f"{again} decides again.")
    except ModelStateError as error:
        messages.error(request, str(error))
    return back


def _asked(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("signals.add_job"):
        return HttpResponse(status=403)
    form = PolicyTrainingForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=422)
    job = ask_for_training(
        request=form.cleaned_data["request"], owner=request.user.get_username(), now=timezone.now()
    )
    return HttpResponseRedirect(reverse("research:policy_training", args=[job.pk]))


def _shown(request: HttpRequest, form: PolicyTrainingForm, status: int = 200) -> HttpResponse:
    models = Paginator(selectors.trained_policies(), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "may_train": request.user.has_perm("signals.add_job"),
        "page": models,
        "rows": [selectors.row_of(model) for model in models],
        "choices": selectors.choices(),
        "running": Job.objects.filter(kind="train_policy")
        .exclude(state__in=ENDED)
        .defer("checkpoint", "trace"),
    }
    answer = page(request, "research/policies.html", "AI management: policies", context)
    answer.status_code = status
    return answer


def _model(pk: int) -> TrainedModel:
    return get_object_or_404(selectors.trained_policies(), pk=pk)


def _chosen(request: HttpRequest, instruments: list[Instrument]) -> Instrument | None:
    asked = request.GET.get("instrument", "")
    return next(
        (each for each in instruments if str(each.pk) == asked), instruments[0] if instruments else None
    )
