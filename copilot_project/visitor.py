"""Where a request came from: REMOTE_ADDR becomes the visitor's own address, behind as many proxies as we know of."""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]


def visitor_address(middleware: GetResponse) -> GetResponse:
    """Rate limits, logs and the audit read REMOTE_ADDR; else all visitors behind a proxy count as one."""

    def handle(request: HttpRequest) -> HttpResponse:
        if address := forwarded_address(
            request.headers.get("X-Forwarded-For", ""), proxies=settings.TRUSTED_PROXY_COUNT or 0
        ):
            request.META["REMOTE_ADDR"] = address
        return middleware(request)

    return handle


def forwarded_address(forwarded: str, *, proxies: int | None) -> str | None:
    """What the outermost of our own proxies saw. What stands before it was sent by the visitor and proves nothing.

    None where fewer addresses stand there than we have proxies: that request came past them.
    """
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    if not proxies or proxies > len(hops):
        return None
    try:
        return str(ipaddress.ip_address(hops[-proxies].strip("[]")))
    except ValueError:
        return None
