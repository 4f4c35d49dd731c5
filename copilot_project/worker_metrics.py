"""The worker's page for Prometheus. Imported by `celery.py`.

The worker's children count in files below PROMETHEUS_MULTIPROC_DIR, the parent serves their sum: so no
count is lost when a child is replaced. Whoever sets the variable empties the folder before the start.
"""

import os
from typing import Any

from celery import signals
from django.conf import settings
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


@signals.worker_init.connect
def serve_worker_metrics(**kwargs: Any) -> None:
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    # Its counters tell that a signal was published before every tier may know: nobody else may ask unless told so.
    host = os.environ.get("WORKER_METRICS_HOST", "127.0.0.1")
    start_http_server(settings.WORKER_METRICS_PORT, addr=host, registry=registry)


@signals.worker_process_shutdown.connect
def forget_process(pid: int | None = None, **kwargs: Any) -> None:
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        mark_process_dead(pid or os.getpid())
