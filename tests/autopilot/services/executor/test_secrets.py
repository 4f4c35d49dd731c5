"""Canary keys: a trade, a refusal and a failure later they stand in no log, no table and no traceback."""

import logging
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from prometheus_client import generate_latest

from autopilot.models import LiveOrder
from tests.autopilot.services.executor.exchange import Hands

pytestmark = pytest.mark.django_db


def test_canary_keys_are_found_nowhere(
    hands: Hands,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    client: Client,
    settings: Any,
) -> None:
    caplog.set_level(logging.INFO)
    hands.ready()
    for kind in ("", "502", "500"):
        if kind:
            hands.far.fault(kind)
        hands.order(key=f"{kind or 'well'}", level=len(kind))
        hands.turn(2)
    assert LiveOrder.objects.count() >= 1
    measured = client.get("/metrics", headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"})
    assert measured.status_code == 200
    measured_here = generate_latest().decode()  # the executor's own, which runs in this process
    written = caplog.text + "".join(capfd.readouterr()) + measured.content.decode() + measured_here
    for canary in (hands.key, "canary-secret"):
        assert canary not in written
        assert not found_in_tables(canary)


def found_in_tables(text: str) -> list[Any]:
    """Tables in any of whose rows, as text, it stands; bytes are compared as hex as well."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s OR t::text LIKE %s',
                [f"%{text}%", f"%{text.encode().hex()}%"],
            )
            if cursor.fetchone()[0]:
                found.append(table)
    return found


def test_a_canary_would_be_found(hands: Hands) -> None:
    LiveOrder.objects.all().delete()
    hands.account.name = hands.key
    hands.account.save()
    assert "autopilot_account" in found_in_tables(hands.key)
