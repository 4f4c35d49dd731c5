"""`.env.example` is complete, explained, and opens nothing as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_project.config import Configuration

REPOSITORY = Path(__file__).resolve().parents[2]
LINES = (REPOSITORY / ".env.example").read_text().splitlines()
ASSIGNMENTS = {number: line.partition("=") for number, line in enumerate(LINES) if re.match(r"[A-Z]", line)}
OF_OTHERS = [
    "GRAFANA_PASSWORD",
    *("ALERT_EMAIL_TO", "ALERT_EMAIL_FROM", "ALERT_SMTP_HOST", "ALERT_SMTP_USER", "ALERT_SMTP_PASSWORD"),
    *("ALERT_TELEGRAM_CHAT_ID", "ALERT_WEBHOOK_URL"),
]
EXAMPLE = {name: value for name, _, value in ASSIGNMENTS.values()}


def test_it_names_every_field_of_the_configuration_once_and_nothing_else() -> None:
    names = [name for name, _, _ in ASSIGNMENTS.values()]
    ours = [field.upper() for field in Configuration.model_fields]
    assert sorted(names) == sorted([*ours, *OF_OTHERS]), (
        "those of Grafana and Alertmanager are in no process of ours"
    )


@pytest.mark.parametrize("number", ASSIGNMENTS, ids=lambda number: ASSIGNMENTS[number][0])
def test_each_line_is_explained_including_what_happens_without_it(number: int) -> None:
    first = number
    while LINES[first - 1].startswith("# "):
        first -= 1
    explanation = " ".join(LINES[first:number])
    assert len(explanation) > 40
    assert re.search(r"Without it|Empty|production refuses", explanation), explanation


def test_values_are_unquoted_because_compose_would_keep_the_quotes() -> None:
    assert [name for name, value in EXAMPLE.items() if re.search(r"[\"'$]", value)] == []


def test_production_refuses_exactly_this_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\n".join(LINES))
    process = subprocess.run(
        [sys.executable, "-c", "import copilot_project.settings"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    for name in (
        "SECRET_KEY",
        "METRICS_TOKEN",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_WEBHOOK_SECRET",
        "GOOGLE_CLIENT_SECRET",
        "LEDGER_SIGNING_KEY",
    ):
        assert f"{name} is a placeholder" in process.stderr
