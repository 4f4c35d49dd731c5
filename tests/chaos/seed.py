"""`python -m tests.chaos.seed '<plan as JSON>'`: one seed in a system of its own; its report as JSON on stdout."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import django

from copilot_project.embedded.checks import free_port
from copilot_project.sandbox.config import DEFAULT_TOKEN
from tests.chaos.processes import start_sandbox
from tests.chaos.report import Plan

SECRET = "chaos-webhook-secret"


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    state, port = Path(tempfile.mkdtemp(prefix="copilot-chaos-")), free_port()
    state.chmod(0o711)
    try:
        with start_sandbox(state) as sandbox:
            for name in ("DATABASE_URL", "REDIS_URL"):
                os.environ.pop(name, None)
            os.environ |= {
                "COPILOT_STATE_DIR": str(state),
                "DJANGO_SETTINGS_MODULE": "copilot_project.settings",
                "PUBLIC_URL": f"http://127.0.0.1:{port}",
                "WORKER_METRICS_PORT": str(free_port()),
                "SENDER_METRICS_PORT": str(free_port()),
                "TELEGRAM_BOT_TOKEN": DEFAULT_TOKEN,
                "TELEGRAM_WEBHOOK_SECRET": SECRET,
                "TELEGRAM_API_URL": sandbox.url,
                "EXCHANGE_API_URL": f"{sandbox.url}/binance",
            }
            django.setup()
            from tests.chaos.ordeal import endure  # noqa: PLC0415  (settings read the environment just made)

            report = asyncio.run(endure(plan, sandbox, port))
    finally:
        shutil.rmtree(state, ignore_errors=True)
    sys.stdout.write(json.dumps(vars(report)) + "\n")


if __name__ == "__main__":
    main()
