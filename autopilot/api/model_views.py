"""The seed's endpoints of the selector's model: its settings, its training, what it is."""

from typing import Any

from django.core.exceptions import ValidationError as InvalidError
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from autopilot.api.serializers import (
    BootstrapAnswer,
    BootstrapRequest,
    ModelAnswer,
    ResetAnswer,
    RetrainAnswer,
    TaskAnswer,
)
from autopilot.services.bootstrap_config import get_bootstrap_config, update_bootstrap_config
from autopilot.services.training import ALL_INSTRUMENTS, KIND, AlreadyRunning, start_training
from signals.models import Job, JobState, ModelState, TrainedModel
from signals.services.trained_models import champion, retire_champion
from users.api.authentication import actor_of
from users.api.problems import Conflict
from users.api.views import ApiView, as_uuids, validated
from users.engine.api_key import ApiScope

STATUS = {
    JobState.QUEUED: "PENDING",
    JobState.SUCCEEDED: "SUCCESS",
    JobState.FAILED: "FAILURE",
    JobState.CANCELLED: "REVOKED",
}
NEVER_TRAINED = "no model has been trained yet: rules choose"
DESCRIBED = (
    "state", "sha256", "trained_at", "promoted_at", "data_from", "data_to", "code_version", "metrics",
    "feature_schema",
)  # fmt: skip


class BootstrapConfigView(ApiView):
    """What the model is trained on."""

    required_scope = {"GET": ApiScope.READ, "PUT": ApiScope.TRAIN}
    required_rights = {
        "GET": ("autopilot.view_bootstrapconfig",),
        "PUT": ("autopilot.change_bootstrapconfig",),
    }

    @extend_schema(responses={200: BootstrapAnswer})
    def get(self, request: Request) -> Response:
        return Response(BootstrapAnswer(get_bootstrap_config()).data)

    @extend_schema(request=BootstrapRequest, responses={200: BootstrapAnswer})
    def put(self, request: Request) -> Response:
        changes = validated(BootstrapRequest(data=request.data))
        try:
            config = update_bootstrap_config(by=actor_of(request), now=timezone.now(), **changes)
        except InvalidError as error:
            raise ValidationError(error.message_dict) from error
        return Response(BootstrapAnswer(config).data)


class Retrain(ApiView):
    """Train the model anew; `tasks/{task_id}` tells how far it is. One at a time: else 409, which names the other."""

    required_scope = ApiScope.TRAIN
    required_rights = ("signals.change_trainedmodel",)

    @extend_schema(request=None, responses={202: RetrainAnswer})
    def post(self, request: Request) -> Response:
        try:
            job = start_training(owner=actor_of(request), now=timezone.now())
        except AlreadyRunning as error:
            raise Conflict(str(error), "already_running", task_id=str(error.job.pk)) from error
        return Response(RetrainAnswer({"task_id": job.pk}).data, status=202)


class Task(ApiView):
    """How far a piece of long work is, and what came of it."""

    required_scope = ApiScope.READ
    required_rights = ("signals.view_job",)

    @extend_schema(
        parameters=[OpenApiParameter("task_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: TaskAnswer},
    )
    def get(self, request: Request, task_id: str) -> Response:
        job = Job.objects.filter(pk__in=as_uuids(task_id)).first()
        if job is None:
            raise NotFound(f"There is no task {task_id}.")
        return Response(TaskAnswer(task_facts(job)).data)


class ModelInfo(ApiView):
    """The model that decides now, or why none does."""

    required_scope = ApiScope.READ
    required_rights = ("signals.view_trainedmodel",)

    @extend_schema(responses={200: ModelAnswer})
    def get(self, request: Request) -> Response:
        model = champion(kind=KIND, scope=ALL_INSTRUMENTS, as_of=timezone.now())
        facts: dict[str, Any] = {name: getattr(model, name, None) for name in DESCRIBED}
        reason = model.reason if model else why_none()
        facts |= {"is_trained": model is not None, "reason": reason, "model_id": model and model.pk}
        return Response(ModelAnswer(facts).data)


class Reset(ApiView):
    """The model decides no more, and rules choose until another is promoted. Nothing is deleted."""

    required_scope = ApiScope.TRAIN
    required_rights = ("signals.change_trainedmodel",)

    @extend_schema(request=None, responses={200: ResetAnswer})
    def post(self, request: Request) -> Response:
        retired = retire_champion(kind=KIND, scope=ALL_INSTRUMENTS, by=actor_of(request), now=timezone.now())
        answer = {"was_trained": retired is not None, "retired_model_id": retired and retired.pk}
        return Response(ResetAnswer(answer).data)


def task_facts(job: Job) -> dict[str, Any]:
    running = "PROGRESS" if job.progress_done else "STARTED"
    failed = job.state == JobState.FAILED
    return {
        "task_id": job.pk,
        "status": STATUS.get(JobState(job.state), running),
        "progress": {
            "done": job.progress_done,
            "total": job.progress_total,
            "ratio": job.progress_ratio,
            "message": job.message,
        },
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "metrics": job.result if job.state == JobState.SUCCEEDED else None,
        "error": {"message": job.error, "trace": job.trace} if failed else None,
    }


def why_none() -> str:
    """What became of the newest model."""
    newest = TrainedModel.objects.filter(kind=KIND, scope=ALL_INSTRUMENTS).first()
    if newest is None:
        return NEVER_TRAINED
    if newest.state == ModelState.RETIRED:
        return "the model was reset: rules choose until another is promoted"
    return newest.reason or f"the newest model is a {newest.get_state_display().lower()}"
