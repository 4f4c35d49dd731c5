"""The seed's endpoints of autopilots: each reads the clock and calls one service."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from autopilot.api.lookup import instrument_named
from autopilot.api.serializers import (
    StartAnswer,
    StartRequest,
    StatusAnswer,
    StatusQuery,
    StopAnswer,
    StopRequest,
)
from autopilot.engine.cycle import Mode
from autopilot.models import Instance
from autopilot.services.instances import (
    ConfirmationMissingError,
    InstanceConflictError,
    InvalidSettingError,
    LiveNotAvailableError,
    start_instance,
    status,
    stop_instance,
)
from signals.engine.timeframe import Timeframe
from users.api.authentication import actor_of
from users.api.problems import Conflict, Gone
from users.api.views import ApiView, validated
from users.engine.api_key import ApiScope

SYMBOL_PATH = "Symbol or alias: BTC/USD, BTC-USD, BTC%2FUSD or BTCUSDT."


class StartUnified(ApiView):
    """Start an autopilot. The same body again gets 200, another one for the same instrument and timeframe 409."""

    required_scope = ApiScope.TRADE
    required_rights = ("autopilot.change_instance",)

    @extend_schema(request=StartRequest, responses={201: StartAnswer, 200: StartAnswer})
    def post(self, request: Request) -> Response:
        wanted = validated(StartRequest(data=request.data))
        instrument = instrument_named(wanted["symbol"], wanted.get("exchange_id"), active=True)
        try:
            instance, created = start_instance(
                instrument=instrument,
                timeframe=Timeframe(wanted["timeframe"]),
                interval_seconds=wanted["interval"],
                mode=Mode(wanted["mode"]),
                min_confidence_threshold=wanted["min_confidence_threshold"],
                max_trades_per_day=wanted["max_trades_per_day"],
                auto_execute=wanted["auto_execute"],
                confirmed=wanted["confirmed"],
                paper_trading=wanted["paper_trading"],
                by=actor_of(request),
                now=timezone.now(),
            )
        except LiveNotAvailableError as error:
            raise Conflict(str(error), "live_not_available") from error
        except InstanceConflictError as error:
            raise Conflict(str(error), "already_running") from error
        except ConfirmationMissingError as error:
            raise ValidationError({"confirmed": f"{error}: send true with auto_execute"}) from error
        except InvalidSettingError as error:
            field = "interval" if error.field == "interval_seconds" else error.field
            raise ValidationError({field: error.message}) from error
        return Response(configuration(instance), status=201 if created else 200)


class StopUnified(ApiView):
    """Stop those of an instrument, or of one timeframe. Asked again, it answers the same."""

    required_scope = ApiScope.TRADE
    required_rights = ("autopilot.change_instance",)

    @extend_schema(request=StopRequest, responses={200: StopAnswer})
    def post(self, request: Request) -> Response:
        wanted = validated(StopRequest(data=request.data))
        instrument = instrument_named(wanted["symbol"], wanted.get("exchange_id"))
        timeframe = wanted.get("timeframe")
        stopped = stop_instance(
            instrument=instrument,
            timeframe=Timeframe(timeframe) if timeframe else None,
            by=actor_of(request),
            now=timezone.now(),
        )
        answer = {
            "symbol": instrument.symbol,
            "exchange_id": instrument.exchange_id,
            "timeframe": timeframe,
            "running": False,
            "stopped": stopped,
        }
        return Response(StopAnswer(answer).data)


class StatusUnified(ApiView):
    """How the autopilot of an instrument stands."""

    required_scope = ApiScope.READ
    required_rights = ("autopilot.view_instance",)

    @extend_schema(parameters=[StatusQuery], responses={200: StatusAnswer})
    def get(self, request: Request, symbol: str) -> Response:
        query = validated(StatusQuery(data=request.query_params))
        instrument = instrument_named(symbol, query.get("exchange_id"))
        timeframe = query.get("timeframe")
        found = status(
            instrument=instrument,
            timeframe=Timeframe(timeframe) if timeframe else None,
            now=timezone.now(),
        )
        return Response(StatusAnswer(found).data)


class Removed(ApiView):
    """Gone; the answer names the endpoint that took its place."""

    required_scope = ApiScope.READ

    @extend_schema(request=None, responses={410: None}, deprecated=True)
    def post(self, request: Request) -> Response:
        successor = "/api/autopilot/start-unified"
        raise Gone(f"This endpoint was removed: use POST {successor}.", successor=successor)


def configuration(instance: Instance) -> Any:
    """By the seed's names."""
    return StartAnswer(
        {
            "instance_id": instance.pk,
            "symbol": instance.instrument.symbol,
            "exchange_id": instance.instrument.exchange_id,
            "timeframe": instance.timeframe,
            "interval": instance.interval_seconds,
            "paper_trading": not instance.account.is_live,
            "min_confidence_threshold": instance.min_confidence_threshold,
            "max_trades_per_day": instance.max_trades_per_day,
            "auto_execute": instance.auto_execute,
            "mode": instance.mode,
            "state": instance.state,
        }
    ).data
