"""What is answered where no view answered: a page, and under /api/ a problem."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from users.api.problems import problem_page


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_page(request, 400, str(exception)) or defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_page(request, 403) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    detail = "There is nothing at this address: /api/schema/ names what there is."
    return problem_page(request, 404, detail) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    detail = "Something went wrong here; it is in the log."
    return problem_page(request, 500, detail) or defaults.server_error(request)
