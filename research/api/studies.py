"""Backtests and portfolios: asked for here, done by a worker, read when they are done."""

from math import isfinite
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from autopilot.api.lookup import instrument_named
from research.api.study_serializers import (
    BacktestBody,
    PortfolioBody,
    StudyAccepted,
    StudyAnswer,
    StudyList,
)
from research.models import Backtest, PortfolioStudy
from users.api.authentication import actor_of
from users.api.views import ApiView, as_uuids, validated
from users.engine.api_key import ApiScope

MOST_LISTED = 100
Row = Backtest | PortfolioStudy
BY_ID = [OpenApiParameter("pk", OpenApiTypes.UUID, OpenApiParameter.PATH)]


class Backtests(ApiView):
    """Those that were asked for, and a new one; 202 names its job."""

    required_scope = {"GET": ApiScope.READ, "POST": ApiScope.TRAIN}
    required_rights = {"GET": ("research.view_backtest",), "POST": ("research.add_backtest",)}

    @extend_schema(operation_id="research_backtests_list", responses={200: StudyList})
    def get(self, request: Request) -> Response:
        rows = Backtest.objects.summaries().defer("arrays", "report").filter(archived_at=None)[:MOST_LISTED]
        return Response(StudyList({"results": [summary(each) for each in rows]}).data)

    @extend_schema(request=BacktestBody, responses={202: StudyAccepted})
    def post(self, request: Request) -> Response:
        from research.services.backtests import ask_for_backtest  # noqa: PLC0415  (compiled code)

        wanted = validated(BacktestBody(data=request.data))
        asked = backtest_request(wanted)
        title = wanted["title"] or f"{asked.strategy} {asked.start[:10]} to {asked.end[:10]}"
        made = ask_for_backtest(request=asked, title=title, owner=actor_of(request), now=timezone.now())
        return accepted(made)


class OneBacktest(ApiView):
    """How far it is; its measures and verdict once it has succeeded."""

    required_scope = ApiScope.READ
    required_rights = ("research.view_backtest",)

    @extend_schema(parameters=BY_ID, responses={200: StudyAnswer})
    def get(self, request: Request, pk: str) -> Response:
        found = Backtest.objects.summaries().filter(pk__in=as_uuids(pk)).first()
        return answered(found, f"There is no backtest {pk}.")


class Portfolios(ApiView):
    """Those that were asked for, and a new one; 202 names its job."""

    required_scope = {"GET": ApiScope.READ, "POST": ApiScope.TRAIN}
    required_rights = {"GET": ("research.view_portfoliostudy",), "POST": ("research.add_portfoliostudy",)}

    @extend_schema(operation_id="research_portfolios_list", responses={200: StudyList})
    def get(self, request: Request) -> Response:
        rows = PortfolioStudy.objects.select_related("job").defer("report").filter(archived_at=None)
        return Response(StudyList({"results": [summary(each) for each in rows[:MOST_LISTED]]}).data)

    @extend_schema(request=PortfolioBody, responses={202: StudyAccepted})
    def post(self, request: Request) -> Response:
        from research.services.portfolios import PortfolioRequest, ask_for_portfolio  # noqa: PLC0415  (a solver)

        wanted = validated(PortfolioBody(data=request.data))
        plain = (
            "timeframe", "objective", "low", "high", "risk_free", "target_return", "target_risk", "shrink",
        )  # fmt: skip
        instruments = chosen(wanted)
        if len(instruments) < 2:
            raise ValidationError({"instruments": "Choose at least two instruments."})
        for name in ("target_return", "target_risk"):
            if wanted["objective"] == name and wanted[name] is None:
                raise ValidationError({name: f"Say which {name.replace('_', ' ')} is wanted."})
        if wanted["low"] > wanted["high"]:
            raise ValidationError({"low": "The least weight must not exceed the greatest."})
        asked = PortfolioRequest(
            instruments=instruments,
            start=wanted["start"].isoformat(),
            end=wanted["end"].isoformat(),
            **{name: wanted[name] for name in plain},
        )
        title = wanted["title"] or f"{asked.objective} {asked.start[:10]} to {asked.end[:10]}"
        made = ask_for_portfolio(request=asked, title=title, owner=actor_of(request), now=timezone.now())
        return accepted(made)


class OnePortfolio(ApiView):
    """How far it is; its weights, frontier and verdict once it has succeeded."""

    required_scope = ApiScope.READ
    required_rights = ("research.view_portfoliostudy",)

    @extend_schema(parameters=BY_ID, responses={200: StudyAnswer})
    def get(self, request: Request, pk: str) -> Response:
        found = PortfolioStudy.objects.select_related("job").filter(pk__in=as_uuids(pk)).first()
        return answered(found, f"There is no portfolio {pk}.")


def backtest_request(wanted: dict[str, Any]) -> Any:
    """ValidationError names the field: strategy, timeframe, size and parameters are judged one after the other."""
    from dataclasses import replace  # noqa: PLC0415

    from research.services.backtest_request import FUSED, MODEL, BacktestRequest  # noqa: PLC0415  (compiled code)
    from signals.engine.strategies import STRATEGIES  # noqa: PLC0415
    from signals.engine.timeframe import BASE_TIMEFRAME  # noqa: PLC0415
    from signals.engine.trend import RULE, TIMEFRAME  # noqa: PLC0415

    strategy, timeframe = wanted["strategy"], wanted["timeframe"]
    if strategy not in {FUSED, RULE, *STRATEGIES} and not strategy.startswith(f"{MODEL}:"):
        known = ", ".join((*STRATEGIES, RULE, FUSED, f"{MODEL}:NUMBER"))
        raise ValidationError({"strategy": f"There is none called {strategy}: {known}."})
    if strategy == RULE and timeframe != TIMEFRAME:
        raise ValidationError({"timeframe": f"The trend rule is decided on {TIMEFRAME.value} candles."})
    if strategy == FUSED and timeframe != BASE_TIMEFRAME:
        raise ValidationError({"timeframe": f"The fused decision is made on {BASE_TIMEFRAME.value} candles."})
    amounts = ("cash", "size", "maker_bps", "taker_bps", "slippage_bps")
    told: dict[str, Any] = {name: f"{wanted[name].normalize():f}" for name in amounts}
    try:
        plain = BacktestRequest(
            instruments=chosen(wanted),
            strategy=strategy,
            timeframe=timeframe,
            start=wanted["start"].isoformat(),
            end=wanted["end"].isoformat(),
            sizing=wanted["sizing"],
            shorts_on_spot=wanted["shorts_on_spot"],
            **told,
        )
    except ValueError as error:
        wrong = "strategy" if strategy.startswith(MODEL) else "size"
        raise ValidationError({wrong: str(error)}) from error
    unknown = wanted["parameters"].keys() - plain.parameter_bounds().keys()
    if unknown:
        raise ValidationError({"parameters": f"{', '.join(sorted(unknown))}: no parameter of {strategy}."})
    if not all(isfinite(value) for value in wanted["parameters"].values()):
        raise ValidationError({"parameters": "They must be finite."})
    try:
        return replace(plain, parameters=wanted["parameters"])
    except ValueError as error:
        raise ValidationError({"parameters": str(error)}) from error


def chosen(wanted: dict[str, Any]) -> list[int]:
    found = []
    for symbol in wanted["instruments"]:
        try:
            found.append(instrument_named(symbol, wanted.get("exchange_id")).pk)
        except ValidationError as error:
            detail: Any = error.detail
            if "symbol" in detail:
                raise ValidationError({"instruments": detail["symbol"]}) from error
            raise
    return sorted(set(found))


def accepted(made: Row) -> Response:
    facts = {"id": made.pk, "job_id": made.job_id, "state": made.job.state}
    return Response(StudyAccepted(facts).data, status=202)


def summary(row: Row) -> dict[str, Any]:
    job = row.job
    return {
        "id": row.pk,
        "job_id": job.pk,
        "state": job.state,
        "title": row.title,
        "created_at": row.created_at,
        "progress": {"done": job.progress_done, "total": job.progress_total, "message": job.message},
        "error": job.error or None,
    }


def answered(row: Row | None, missing: str) -> Response:
    if row is None:
        raise NotFound(missing)
    return Response(StudyAnswer(summary(row) | {"parameters": row.parameters, "result": row.report}).data)
