"""Whatever is posted to the webhook: taken or refused, worked off, and nothing without the secret.

`make properties` posts 100,000 bodies and watches the memory, `make test` 2,000.
"""

import gc
import json
import logging
import os
import random
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from notifications import tasks, views
from notifications.models import Delivery, Feedback, TelegramUpdate
from notifications.services.fan_out import fan_out
from notifications.services.inbox import process_update
from signals.models import StrategyWeight
from tests.notifications.rows import make_signal, make_subscriber
from users.models import Subscriber

# Each body in transactions of its own: what one transaction wrote and deleted would slow its later statements down.
pytestmark = pytest.mark.django_db(transaction=True)

EXPLORES = "FUZZED_BODIES" in os.environ
BODIES = int(os.environ.get("FUZZED_BODIES", "2000"))
BODIES_PER_SEARCH = 500  # Hypothesis remembers all that it tried in one search: 13 kB a body
WARM_UP = 1000
MOST_GROWTH = 40 * 1024 * 1024  # bytes, after the warm-up
SECRET = "a-secret-that-only-telegram-knows"
CHAT = 7_000_000_001
APPLICATION = WSGIHandler()

ids = st.sampled_from([CHAT, 1, 0, -1, 2**63, "7000000001", None, True, 1.5])
words = st.text(max_size=8) | st.sampled_from(["/start", "/start x", "/status", "/last", "fa:" + "0" * 32])
person = st.fixed_dictionaries({"id": ids}, optional={"username": words, "is_bot": st.booleans()})
chat = st.fixed_dictionaries({"id": ids, "type": st.sampled_from(["private", "group", "", None])})
message = st.fixed_dictionaries(
    {"message_id": st.integers(0, 9), "chat": chat}, optional={"from": person, "text": words, "date": ids}
)
tap = st.fixed_dictionaries(
    {"id": words, "from": person, "data": words}, optional={"message": message, "chat_instance": words}
)
membership = st.fixed_dictionaries(
    {
        "chat": chat,
        "from": person,
        "new_chat_member": st.fixed_dictionaries(
            {"status": st.sampled_from(["kicked", "left", "member", ""])}
        ),
    }
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
update = st.fixed_dictionaries(
    {"update_id": st.integers(0, 2**63 - 1) | anything},
    optional={
        "message": message | anything,
        "callback_query": tap | anything,
        "my_chat_member": membership | anything,
    },
)
json_bodies = (update | anything).map(lambda payload: json.dumps(payload).encode())


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """A body with a stretch of it replaced."""
    body = draw(json_bodies)
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, len(body)))
    return body[:start] + draw(st.binary(max_size=6)) + body[end:]


bodies = json_bodies | torn() | st.binary(max_size=64)


@pytest.fixture(autouse=True)
def system(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Subscriber:
    """A subscriber whose chat the bodies may hit, with a delivery to answer."""
    settings.TELEGRAM_WEBHOOK_SECRET = SECRET
    monkeypatch.setattr(tasks.process_update, "apply_async", lambda args, **options: None)
    subscriber = make_subscriber(chat_id=CHAT)
    fan_out(signal=make_signal())
    return subscriber


def state_of_the_system() -> list[Any]:
    """All that an update could change."""
    return [
        list(
            Subscriber.objects.values_list(
                "pk", "chat_id", "unreachable_reason", "telegram_username", "status"
            )
        ),
        list(Delivery.objects.values_list("pk", "state")),
        list(StrategyWeight.objects.values_list("pk", "weight")),
        Feedback.objects.count(),
        TelegramUpdate.objects.count(),
    ]


def answer_of_the_webhook(body: bytes, secret: str) -> tuple[int, bytes]:
    """Status and content, as a server asks for them: Django's test client leaves something behind each time."""
    headers = {views.SECRET_HEADER: secret}
    request = RequestFactory().post(
        "/telegram/webhook", body, content_type="application/json", headers=headers
    )
    statuses: list[str] = []
    answer = APPLICATION(request.environ, lambda status, headers: statuses.append(status))
    content = b"".join(answer)
    answer.close()
    return int(statuses[0].split()[0]), content


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.timeout(8 * 3600)  # for `make properties`
def test_whatever_is_posted_is_taken_or_refused_and_worked_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(
        logging.CRITICAL, logger="django.request"
    )  # pytest keeps what is logged: a line for each 403
    posted, sizes = 0, list[int]()
    first_seed = random.randrange(2**32) if EXPLORES else 0

    @hypothesis_settings(
        max_examples=BODIES_PER_SEARCH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(body=bodies, secret=st.sampled_from([SECRET] * 3 + ["no", ""]))
    def post(body: bytes, secret: str) -> None:
        nonlocal posted
        before = state_of_the_system() if secret != SECRET else []
        assert answer_of_the_webhook(body, secret) == (200 if secret == SECRET else 403, b"")
        if secret != SECRET:
            assert state_of_the_system() == before
        for row in TelegramUpdate.objects.filter(processed_at=None):
            process_update(update_id=row.pk, now=timezone.now())
            row.refresh_from_db()
            assert row.processed_at
            assert row.outcome
        TelegramUpdate.objects.all().delete()
        posted += 1

    for number in range(-(-BODIES // BODIES_PER_SEARCH)):
        seed(first_seed + number)(post)()
        gc.collect()
        if posted >= WARM_UP:
            sizes.append(resident_bytes())
    assert posted >= BODIES
    assert sizes[-1] - sizes[0] < MOST_GROWTH, sizes
    growth = (sizes[-1] - sizes[0]) / 1e6
    print(f"seed {first_seed}: {posted} bodies, memory after the first {WARM_UP}: {growth:+.1f} MB")  # noqa: T201
