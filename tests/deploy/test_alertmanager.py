"""Alertmanager's configuration as start.sh writes it: receivers of .env only, no secret in it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/alertmanager/start.sh"
ALL = {
    "ALERT_EMAIL_TO": "desk@trader.test",
    "ALERT_SMTP_HOST": "smtp.trader.test:587",
    "ALERT_SMTP_USER": "desk",
    "ALERT_SMTP_PASSWORD": "it's a p4ss",
    "ALERT_TELEGRAM_CHAT_ID": "-1001",
    "TELEGRAM_BOT_TOKEN": "987:t0ken",
    "ALERT_WEBHOOK_URL": "https://sms.trader.test/send?key=k3y",
}


def written(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    process = subprocess.run(
        ["sh", str(SCRIPT), str(folder)],
        env=environment | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    text = (folder / "alertmanager.yml").read_text()
    for secret in ("ALERT_SMTP_PASSWORD", "TELEGRAM_BOT_TOKEN", "ALERT_WEBHOOK_URL"):
        assert ALL[secret] not in text
    if program := shutil.which("amtool"):
        # Debian's 0.25 does not know these two yet, which came with 0.26.
        older = re.sub(r"bot_token_file: .*", "bot_token: x", text)
        older = re.sub(r"url_file: .*", "url: https://sms.trader.test", older)
        checked = subprocess.run(
            [program, "check-config", "/dev/stdin"],
            input=older,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr + checked.stdout
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def test_every_receiver_that_is_named_is_there_with_its_secret_in_a_file(tmp_path: Path) -> None:
    config = written(tmp_path, ALL)
    (staff,) = config["receivers"]
    mail, chat, hook = (staff[f"{kind}_configs"][0] for kind in ("email", "telegram", "webhook"))
    assert (mail["to"], mail["from"]) == ("desk@trader.test", "desk@trader.test")
    assert Path(mail["auth_password_file"]).read_text() == ALL["ALERT_SMTP_PASSWORD"]
    assert chat["chat_id"] == -1001
    assert ".Annotations.runbook" in chat["message"]
    assert Path(chat["bot_token_file"]).read_text() == ALL["TELEGRAM_BOT_TOKEN"]
    assert Path(hook["url_file"]).read_text() == ALL["ALERT_WEBHOOK_URL"]
    assert {oct(path.stat().st_mode)[-3:] for path in tmp_path.iterdir()} == {"600"}


def test_without_receivers_it_starts_and_tells_nobody(tmp_path: Path) -> None:
    assert written(tmp_path, {})["receivers"] == [{"name": "staff"}]


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"ALERT_EMAIL_TO": "desk@trader.test"}, "ALERT_SMTP_HOST is missing"),
        ({"ALERT_TELEGRAM_CHAT_ID": "1"}, "TELEGRAM_BOT_TOKEN is missing"),
    ],
    ids=["mail", "chat"],
)
def test_half_a_receiver_is_refused(environment: dict[str, str], missing: str, tmp_path: Path) -> None:
    process = subprocess.run(
        ["sh", str(SCRIPT), str(tmp_path)],
        env=environment | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode != 0
    assert missing in process.stderr


def test_alerts_named_in_inhibitions_exist(tmp_path: Path) -> None:
    rules = yaml.safe_load((SCRIPT.parents[1] / "prometheus/rules.yml").read_text())["groups"][0]["rules"]
    names = {rule["alert"] for rule in rules if "alert" in rule}
    for rule in written(tmp_path, ALL)["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(matcher.split('"')[1].split("|")) <= names
