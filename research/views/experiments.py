"""A/B tests in the console: planned, started, watched and ended."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from research.forms import EndForm, ExperimentForm
from research.views.page import page
from signals.models import Experiment


def experiments(request: HttpRequest) -> HttpResponse:
    form = ExperimentForm(request.POST or None)
    if request.method == "POST":
        if not request.user.has_perm("signals.add_experiment"):
            return HttpResponse(status=403)
        made = _created(request, form)
        if made is not None:
            return HttpResponseRedirect(reverse("research:experiment", args=[made.pk]))
    now = timezone.now()
    context: dict[str, Any] = {
        "form": form,
        "may_add": request.user.has_perm("signals.add_experiment"),
        "rows": [(each, each.state(now).label) for each in Experiment.objects.prefetch_related("arms")],
    }
    answer = page(request, "research/experiments.html", "A/B tests", context)
    answer.status_code = 422 if request.method == "POST" else 200
    return answer


def experiment(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Experiment.objects.prefetch_related("arms"), pk=pk)
    now = timezone.now()
    arms = list(found.arms.all())
    control = arms[0].settings
    context: dict[str, Any] = {
        "experiment": found,
        "state": found.state(now),
        "arms": [
            (arm, {name: value for name, value in arm.settings.items() if value != control.get(name)})
            for arm in arms
        ],
        "end_form": EndForm(),
        "may_change": request.user.has_perm("signals.change_experiment"),
        "now": now,
    }
    if found.started_at is not None:
        from research.services.experiment_results import measure  # noqa: PLC0415

        judgement = measure(experiment=found, as_of=now)
        ratio = judgement.sample_ratio
        context |= {
            "judgement": judgement,
            "assigned": list(zip(arms, ratio.assigned, ratio.expected, strict=True)),
        }
    return page(request, "research/experiment.html", found.name, context)


@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponse:
    from signals.services.experiments import ExperimentError, start_experiment  # noqa: PLC0415

    found = get_object_or_404(Experiment, pk=pk)
    try:
        start_experiment(experiment=found, by=request.user.get_username(), now=timezone.now())
    except ExperimentError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("research:experiment", args=[pk]))


@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    from signals.services.experiments import ExperimentError, end_experiment  # noqa: PLC0415

    found, form = get_object_or_404(Experiment, pk=pk), EndForm(request.POST)
    try:
        end_experiment(
            experiment=found,
            by=request.user.get_username(),
            conclusion=form.data.get("conclusion", ""),
            now=timezone.now(),
        )
    except ExperimentError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("research:experiment", args=[pk]))


def _created(request: HttpRequest, form: ExperimentForm) -> Experiment | None:
    """None where the form or the service refuses; the form says why."""
    if not form.is_valid():
        return None
    from signals.services.experiments import ArmPlan, ExperimentError, create_experiment  # noqa: PLC0415

    values = form.cleaned_data
    try:
        return create_experiment(
            name=values["name"],
            question=values["question"],
            assignment=values["assignment"],
            block_hours=values["block_hours"],
            ends_at=values["ends_at"],
            arms=[
                ArmPlan("control", 1 - values["share"]),
                ArmPlan(values["variant"], values["share"], values["variant"], form.settings()),
            ],
            by=request.user.get_username(),
            now=timezone.now(),
        )
    except ExperimentError as error:
        form.add_error(None, str(error))
        return None
