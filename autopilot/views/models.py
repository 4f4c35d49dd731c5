"""AI management, the selector: its model card, training, champion and challengers, the settings of training."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from autopilot.charts.selector import bars_figure, confusion_figure, reliability_figure
from autopilot.forms import BootstrapConfigForm
from autopilot.services.bootstrap_config import get_bootstrap_config, update_bootstrap_config
from autopilot.services.training import (
    ALL_INSTRUMENTS,
    KIND,
    AlreadyRunning,
    newest_training,
    start_training,
)
from autopilot.views.page import page
from signals.models import ModelState, TrainedModel
from signals.services.trained_models import (
    ModelCorruptError,
    ModelStateError,
    promote_model,
    reject_model,
    roll_back,
)

SHOWN_MODELS = 20


def models(request: HttpRequest) -> HttpResponse:
    return _shown(request, BootstrapConfigForm(instance=get_bootstrap_config()))


@require_POST
def change_settings(request: HttpRequest) -> HttpResponse:
    form = BootstrapConfigForm(request.POST, instance=get_bootstrap_config())
    if form.is_valid():
        try:
            update_bootstrap_config(by=_who(request), now=timezone.now(), **form.cleaned_data)
        except ValidationError as error:
            for field, told in error.message_dict.items():
                form.add_error(field, told)
        else:
            messages.success(request, "The settings are kept; the next training takes them.")
            return _back()
    return _shown(request, form, status=422)


@require_POST
def train(request: HttpRequest) -> HttpResponse:
    try:
        start_training(owner=_who(request), now=timezone.now())
    except AlreadyRunning as error:
        messages.error(request, f"Nothing was started: {error}.")
    return _back()


@require_POST
def promote(request: HttpRequest, pk: int) -> HttpResponse:
    """Of a challenger that has beaten its baselines: whoever has not is never promoted, by nobody."""
    model = get_object_or_404(TrainedModel, pk=pk, kind=KIND)
    if not model.metrics.get("proved"):
        messages.error(request, "It has not beaten its baselines out of sample: it cannot be promoted.")
        return _back()
    return _stepped(
        request,
        lambda: promote_model(model=model, by=_who(request), now=timezone.now()),
        f"Model {pk} is the champion.",
    )


@require_POST
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    model = get_object_or_404(TrainedModel, pk=pk, kind=KIND)
    reason = f"rejected by {_who(request)}; before: {model.reason}"
    return _stepped(
        request,
        lambda: reject_model(model=model, reason=reason, now=timezone.now()),
        f"Model {pk} is rejected.",
    )


@require_POST
def go_back(request: HttpRequest) -> HttpResponse:
    return _stepped(
        request,
        lambda: roll_back(kind=KIND, scope=ALL_INSTRUMENTS, by=_who(request), now=timezone.now()),
        "The champion before this one decides again.",
    )


def _stepped(request: HttpRequest, step: Any, done: str) -> HttpResponse:
    try:
        step()
    except (ModelStateError, ModelCorruptError) as error:
        messages.error(request, f"Nothing was changed: {error}.")
    else:
        messages.success(request, done)
    return _back()


def _shown(request: HttpRequest, form: BootstrapConfigForm, status: int = 200) -> HttpResponse:
    rows = list(TrainedModel.objects.filter(kind=KIND, scope=ALL_INSTRUMENTS).defer("payload")[:SHOWN_MODELS])
    standing = next((each for each in rows if each.state == ModelState.CHAMPION), None)
    chosen = _chosen(request, rows) or standing or (rows[0] if rows else None)
    context: dict[str, Any] = {
        "form": form,
        "rows": rows,
        "champion": standing,
        "shown": chosen,
        "can_go_back": standing is not None and any(each.state == ModelState.RETIRED for each in rows),
        "may_train": request.user.has_perm("autopilot.change_bootstrapconfig"),
        "may_promote": request.user.has_perm("signals.change_trainedmodel"),
    }
    job = newest_training()
    if job is not None and (not job.has_ended or job.error):
        may_cancel = request.user.has_perm("signals.change_job")
        context |= {
            "job": job,
            "progress_url": reverse("research:job_progress", args=[job.pk]),
            "cancel_url": reverse("research:job_cancel", args=[job.pk]) if may_cancel else "",
        }
    if chosen is not None:
        context |= card_context(chosen)
    answer = page(request, "autopilot/models.html", "AI management", context)
    answer.status_code = status
    return answer


def card_context(model: TrainedModel) -> dict[str, Any]:
    """Tables and figures of one model's record."""
    card, groups = model.metrics, model.feature_schema["groups"]
    measured = card["out_of_sample"]
    more = list(card["result_gain_bounds"].values())
    in_r = dict(zip(("best", "rules"), more, strict=False)) if len(more) == 2 else {}
    baselines = [
        ("The model", measured["log_loss"], None, measured["accuracy"], measured["model_result"], None),
        (
            "The class frequencies",
            measured["majority_log_loss"],
            measured["majority_gain_bound"],
            measured["majority_accuracy"],
            None,
            None,
        ),
        (
            "Always the group that had paid best",
            measured["best_group_log_loss"],
            measured["best_group_gain_bound"],
            None,
            measured["best_group_result"],
            in_r.get("best"),
        ),
        (
            "The rules",
            measured["rules_log_loss"],
            measured["rules_gain_bound"],
            measured["rules_accuracy"],
            measured["rules_result"],
            in_r.get("rules"),
        ),
    ]
    total = sum(card["class_counts"]) or 1
    bins = card["reliability"]["bins"]
    return {
        "card": card,
        "measured": measured,
        "baselines": baselines,
        "balance": [
            (group, count, count / total) for group, count in zip(groups, card["class_counts"], strict=True)
        ],
        "firing": card["firing"],
        "reliability": reliability_figure(bins) if bins else None,
        "confusion": confusion_figure(card["confusion"], groups) if measured["n"] else None,
        "importance": bars_figure(card["importance"], unit="Share of the gain"),
        "drift": bars_figure(
            card["drift"]["index"], unit="Population stability index", limit=card["drift"]["limit"]
        ),
    }


def _chosen(request: HttpRequest, rows: list[TrainedModel]) -> TrainedModel | None:
    asked = request.GET.get("model", "")
    return next((each for each in rows if str(each.pk) == asked), None)


def _who(request: HttpRequest) -> str:
    name: str = request.user.get_username()
    return name


def _back() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("autopilot:models"))
