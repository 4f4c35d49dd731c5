"""Endpoints that only the tests have."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from copilot_project.urls import handler400, handler403, handler404, handler500
from copilot_project.urls import urlpatterns as system
from signals.models import Action
from signals.services.actions import record_action
from users.api.authentication import actor_of
from users.api.problems import Conflict
from users.api.views import ApiView
from users.engine.api_key import ApiScope

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class Counting(ApiView):
    """Each POST that is done writes one row."""

    required_scope = {"GET": ApiScope.READ, "POST": ApiScope.TRADE}

    def get(self, request: Request) -> Response:
        return Response({"rows": Action.objects.count()})

    def post(self, request: Request) -> Response:
        from django.utils import timezone  # noqa: PLC0415

        record_action(actor=actor_of(request), what="counted", target="test", now=timezone.now())
        match request.data.get("then"):
            case "conflict":
                raise Conflict("not now", "busy", instance_id=7)
            case "break":
                raise RuntimeError("broken")
        return Response({"rows": Action.objects.count()}, status=201)


class Unnamed(ApiView):
    def get(self, request: Request) -> Response:
        return Response({})


class ForTiers(ApiView):
    required_scope = ApiScope.READ
    open_to_tiers = True

    def get(self, request: Request) -> Response:
        return Response({})


class WithRight(ApiView):
    required_scope = ApiScope.READ
    required_rights = ("autopilot.view_order",)

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("api/counting", Counting.as_view()),
    path("api/unnamed", Unnamed.as_view()),
    path("api/for-tiers", ForTiers.as_view()),
    path("api/with-right", WithRight.as_view()),
    *system,
]
