"""/metrics for Prometheus: this process's counters, and the state of the system read from its tables at scrape.

No label names a person, a chat or a tier's instrument.
"""

import ipaddress
import os
from collections.abc import Iterable, Iterator
from hmac import compare_digest

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from copilot_project.system_gauges import read_all
from notifications.models import OPEN_STATES, Delivery, SenderState
from research.selectors.console import oldest_due
from signals.models import Heartbeat
from signals.selectors import sending_allowed

FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")
REFUSAL = "Send METRICS_TOKEN as a bearer token; without a token set, only this machine may ask.\n"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not may_scrape(request):
        return HttpResponseForbidden(REFUSAL, content_type="text/plain")
    registries = [process_registry(), system_registry()]
    return HttpResponse(b"".join(map(generate_latest, registries)), content_type=CONTENT_TYPE_LATEST)


def may_scrape(request: HttpRequest) -> bool:
    """By token where one is set, else from loopback.

    The address is the socket's. A request that names another one came through a proxy, whose own
    address says nothing about who asks.
    """
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "")
        return compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    if any(header in request.META for header in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def process_registry() -> CollectorRegistry:
    """Counters of this process, or of all that share PROMETHEUS_MULTIPROC_DIR."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


def system_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(SystemCollector())
    return registry


class SystemCollector(Collector):
    """Gauges by SQL: ages of heartbeats, the kill switch, open deliveries by state, how late the oldest due one is."""

    def describe(self) -> Iterable[Metric]:
        return ()  # registering shall not ask the database

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        ages = GaugeMetricFamily(
            "copilot_heartbeat_age_seconds", "Since the last sign of life.", labels=["name"]
        )
        for name, beat_at in Heartbeat.objects.values_list("name", "beat_at"):
            ages.add_metric([name], (now - beat_at).total_seconds())
        yield ages
        yield GaugeMetricFamily(
            "copilot_kill_switch_engaged",
            "1 while sending is stopped, 0 while it is on.",
            value=0.0 if sending_allowed() else 1.0,
        )
        yield GaugeMetricFamily(
            "copilot_sender_halted",
            "1 while Telegram refuses the bot and nothing is sent, else 0.",
            value=1.0 if SenderState.objects.exclude(halted_reason="").exists() else 0.0,
        )
        waiting = GaugeMetricFamily(
            "copilot_deliveries_open", "Deliveries not settled yet.", labels=["state"]
        )
        states = (
            Delivery.objects.filter(state__in=OPEN_STATES)
            .values_list("state")
            .annotate(Count("pk"))
            .order_by()
        )
        counts = dict(states)
        for state in OPEN_STATES:
            waiting.add_metric([state.value], counts.get(state.value, 0))
        yield waiting
        oldest = oldest_due(now=now)
        late = (now - oldest.due_at).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily(
            "copilot_oldest_due_seconds", "How late the oldest due delivery is.", value=late
        )
        yield from read_all()
