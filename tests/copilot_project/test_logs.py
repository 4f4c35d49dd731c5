"""What a log line costs, and what it never tells."""

import io
import logging
import logging.config
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import DisallowedHost, PermissionDenied
from django.test import Client, RequestFactory

from copilot_project.logs import LONGEST_REFUSAL, logging_settings


def stream_of(*, as_json: bool) -> tuple[logging.Handler, io.StringIO]:
    """The handler that settings describe, writing to memory."""
    described = logging_settings(as_json=as_json)
    described["handlers"]["stderr"] |= {"class": "logging.StreamHandler", "stream": (text := io.StringIO())}
    configurator = logging.config.DictConfigurator(described)  # type: ignore[attr-defined]
    for kind, configure in (
        ("filters", configurator.configure_filter),
        ("formatters", configurator.configure_formatter),
    ):
        part = configurator.config[kind]
        for name in part:
            part[name] = configure(part[name])
    return configurator.configure_handler(configurator.config["handlers"]["stderr"]), text


@pytest.fixture(params=[False, True], ids=["lines", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What Django's loggers wrote."""
    handler, text = stream_of(as_json=request.param)
    logger = logging.getLogger("django")
    logger.addHandler(handler)
    yield text.getvalue
    logger.removeHandler(handler)


def test_bad_host_costs_one_short_line(client: Client, written: Callable[[], str]) -> None:
    answer = client.get("/accounts/login/", headers={"host": "x" * 4000 + ".example"})

    assert answer.status_code == 400
    assert written().count("\n") == 1
    assert "Invalid HTTP_HOST" in written()
    assert len(written()) < LONGEST_REFUSAL + 300


@pytest.mark.django_db
def test_a_refusal_costs_one_short_line(admin_client: Client, written: Callable[[], str]) -> None:
    assert admin_client.get("/admin/r/1/1/").status_code in {403, 404}
    assert admin_client.post("/admin/signals/killswitch/", {"action": "nothing"}).status_code == 200
    before = written().count("\n")
    assert Client().post("/telegram/webhook", b"{}", content_type="application/json").status_code == 403
    assert written().count("\n") == before + 1
    assert "Traceback" not in written()


def test_an_error_of_ours_keeps_its_traceback_without_values_of_variables(written: Callable[[], str]) -> None:
    def fail(secret: str) -> None:
        raise RuntimeError("broken")

    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    try:
        fail("-".join(["hunter", "2"]))
    except RuntimeError:
        extra = {"status_code": 500, "request": request}
        logging.getLogger("django.request").exception("Internal Server Error", extra=extra)

    assert "RuntimeError: broken" in written()
    assert "hunter-2" not in written()


def test_refusals_of_the_kinds_that_django_knows_carry_no_traceback(written: Callable[[], str]) -> None:
    for error, name in (
        (DisallowedHost("a"), "django.security.DisallowedHost"),
        (PermissionDenied(), "django.request"),
    ):
        logging.getLogger(name).warning("refused", exc_info=error, extra={"status_code": 403})

    assert written().count("\n") == 2


def test_no_colour_codes_in_a_pipe() -> None:
    handler, text = stream_of(as_json=False)
    handler.emit(logging.LogRecord("x", logging.WARNING, "", 0, "careful", (), None))

    assert "careful" in text.getvalue()
    assert "\x1b" not in text.getvalue()
