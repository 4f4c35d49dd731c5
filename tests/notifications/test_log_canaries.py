"""A whole run, with canaries in the settings and in the rows: none of them stands in any log; each line is JSON."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from copilot_project.processes import QUIET_WEB
from copilot_project.sandbox.config import DEFAULT_TOKEN
from notifications.models import Delivery, TelegramUpdate
from notifications.services.fan_out import fan_out
from tests.notifications.rows import Controls, make_signal, make_subscriber, make_tier, wait_for
from tests.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

CHAT, GONE_CHAT, STAFF_CHAT = 7_390_441_201, 7_390_441_202, -1_007_390_441
SETTINGS = {
    "SECRET_KEY": "canary-secret-key-" * 4,
    "TELEGRAM_WEBHOOK_SECRET": "canary-webhook-secret",
    "METRICS_TOKEN": "canary-metrics-token-1",
    "LEDGER_SIGNING_KEY": "c0ffee11" * 8,
    "STAFF_CHAT_IDS": str(STAFF_CHAT),
}
CANARIES = [
    *SETTINGS.values(),
    DEFAULT_TOKEN,
    DEFAULT_TOKEN.partition(":")[2],
    *(str(abs(chat)) for chat in (CHAT, GONE_CHAT, STAFF_CHAT)),
    "Canaria",
    "canary_username",
    "canary-password",
    "canary typed this",
]


@pytest.fixture
def logs(process_env: dict[str, str], telegram: Controls, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Web, worker and sender as in production but for the sandbox outside; the web process's URL, and their logs."""
    web_port = free_port()
    env = process_env | SETTINGS
    env |= {"LOG_JSON": "true", "TELEGRAM_API_URL": telegram.url, "TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN}
    env |= {
        "SANDBOX_PORT": str(urlsplit(telegram.url).port),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": QUIET_WEB,
    }
    python = sys.executable
    granian = [
        python,
        "-m",
        "granian",
        "--interface",
        "asginl",
        "--port",
        str(web_port),
        "--log-level",
        "warning",
    ]
    celery = [
        python,
        "-m",
        "celery",
        "-A",
        "copilot_project",
        "--quiet",
        "worker",
        "-c",
        "1",
        "--without-mingle",
    ]
    commands = {
        "web": [*granian, "copilot_project.asgi:application"],
        "worker": [*celery, "-Q", "celery,market,signals", "-l", "INFO"],
        "sender": [python, "manage.py", "send_deliveries", "--no-metrics"],
    }
    with ExitStack() as stack:
        started = []
        for name, command in commands.items():
            log = stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            started.append(
                subprocess.Popen(
                    command,
                    cwd=REPOSITORY,
                    env=env,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        try:
            yield f"http://127.0.0.1:{web_port}", tmp_path
        finally:
            for process in started:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def post_update(url: str, number: int, secret: str) -> int:
    sender = {"id": CHAT, "is_bot": False, "first_name": "Canaria", "username": "canary_username"}
    message = {"message_id": 1, "date": 1, "chat": {"id": CHAT, "type": "private"}, "from": sender}
    update = {"update_id": number, "message": message | {"text": "canary typed this"}}
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
    return httpx.post(f"{url}/telegram/webhook", json=update, headers=headers, timeout=30).status_code


def test_no_token_key_chat_or_name_in_the_logs_of_a_whole_run(
    logs: tuple[str, Path], telegram: Controls
) -> None:
    url, folder = logs
    tier = make_tier(max_sessions=None)
    person = make_subscriber(tier=tier, display_name="Canaria", chat_id=CHAT)
    make_subscriber(tier=tier, display_name="Canaria", chat_id=GONE_CHAT)  # Telegram does not know this chat
    telegram.open_chats(person)
    wait_for(lambda: answers(url))
    # What goes well, what is refused, what fails: each leaves its lines.
    assert post_update(url, 1, SETTINGS["TELEGRAM_WEBHOOK_SECRET"]) == 200
    assert post_update(url, 2, "wrong") == 403
    login = {"username": "Canaria", "password": "canary-password", "login": "Canaria"}
    httpx.post(f"{url}/accounts/login/", data=login, timeout=30)
    httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer canary-metrics-token-2"}, timeout=30)
    httpx.get(f"{url}/nowhere?token=canary-metrics-token-1", timeout=30)
    telegram.fault("502")
    fan_out(signal=make_signal())
    wait_for(lambda: not Delivery.objects.filter(state__in=["pending", "sending", "retry"]).exists())
    wait_for(lambda: TelegramUpdate.objects.filter(pk=1, processed_at__isnull=False).exists())

    written = {path.stem: path.read_text() for path in folder.glob("*.log")}
    for name, text in written.items():
        found = [canary for canary in CANARIES if canary in text]
        assert found == [], f"{name}: {[line for line in text.splitlines() if found[0] in line][:3]}"
    for line in (*written["sender"].splitlines(), *written["web"].splitlines()):
        assert {"event", "level", "timestamp"} <= json.loads(line).keys()
    assert "403" in written["web"] or "Forbidden" in written["web"]
    assert written["sender"].count("\n") >= 2
