"""What no page can make sense of is refused with 400 before it is asked for: every odd value costs the same line."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import MAXYEAR

import structlog
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

log = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
# The admin searches every field for every word: four thousand of them took nine seconds.
SEARCHES = ("q", "term")
LONGEST_SEARCH = 100
MOST_WORDS = 8
LONGEST_VALUE = 2000
HIGHEST = {"year": MAXYEAR - 1, "month": 12, "day": 31}
DATE_PART = re.compile(r"__(year|month|day)$")


def sane_parameters(middleware: GetResponse) -> GetResponse:
    """Django turns BadRequest into 400. What stands in a form is the form's business."""

    def handle(request: HttpRequest) -> HttpResponse:
        if problem := problem_of(request.path_info, request.GET.lists()):
            raise BadRequest(problem)
        return middleware(request)

    return handle


def problem_of(path: str, parameters: Iterable[tuple[str, Sequence[object]]]) -> str | None:
    """What is wrong with an address, in words; None when nothing is."""
    if "\0" in path:
        return "NUL in the path"
    for name, values in parameters:
        for value in map(str, values):
            if problem := _problem_of_value(name, value):
                return problem
    return None


def _problem_of_value(name: str, value: str) -> str | None:
    if "\0" in name or "\0" in value:
        return "NUL in a parameter"
    if len(name) > LONGEST_VALUE or len(value) > LONGEST_VALUE:
        return f"a parameter of more than {LONGEST_VALUE} characters"
    if name in SEARCHES and (len(value) > LONGEST_SEARCH or len(value.split()) > MOST_WORDS):
        return f"search for at most {MOST_WORDS} words of {LONGEST_SEARCH} characters together"
    part = DATE_PART.search(name)
    if part and not (value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= HIGHEST[part[1]]):
        return f"{name} is no {part[1]}"
    return None
