import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[3]


def run(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX")}
    return subprocess.Popen(
        [sys.executable, "-m", "copilot_project.sandbox", *arguments],
        cwd=REPOSITORY,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready_url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return next(line.split()[1] for line in process.stdout if line.startswith("ready "))


def test_process_announces_its_port_and_stops_cleanly(tmp_path: Path) -> None:
    with run("--port", "0", "--state", str(tmp_path), "--shift", "0") as process:
        url = ready_url(process)
        with urllib.request.urlopen(url + "/_sandbox/status") as answer:
            status = json.load(answer)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    assert status["market"] == "simulated"
    assert "imulated" in status["label"]


def test_another_site_may_not_post_and_files_are_private(tmp_path: Path) -> None:
    with run("--port", "0", "--state", str(tmp_path / "state"), "--shift", "0", "--token", "1:t") as process:
        url = ready_url(process)
        codes = []
        for origin in ("https://evil.example", "null", url, None):
            headers = {"Content-Type": "application/json"} | ({"Origin": origin} if origin else {})
            body = json.dumps({"id": 5, "first_name": "Ada"}).encode()
            try:
                urllib.request.urlopen(urllib.request.Request(url + "/_sandbox/chats", body, headers)).close()
                codes.append(200)
            except urllib.error.HTTPError as error:
                codes.append(error.code)
        process.kill()
    assert codes == [403, 403, 200, 200]
    modes = {
        path.name: path.stat().st_mode & 0o077
        for path in (tmp_path / "state", *(tmp_path / "state").rglob("*"))
    }
    assert set(modes.values()) == {0}, modes


def test_accepted_message_outlives_kill_9(tmp_path: Path) -> None:
    with run("--port", "0", "--state", str(tmp_path), "--shift", "0", "--token", "1:t") as process:
        url = ready_url(process)
        for path, body in (
            ("/_sandbox/chats", {"id": 5, "first_name": "Ada"}),
            ("/bot1:t/sendMessage", {"chat_id": 5, "text": "kept"}),
        ):
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
            urllib.request.urlopen(request).close()
        process.kill()
    accepted = [json.loads(line) for line in (tmp_path / "telegram.jsonl").read_text().splitlines()]
    assert [record["text"] for record in accepted] == ["kept"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--data", "no-such-folder"], "not a folder"),
        (["--data", "tests"], "no candles"),
        (["--host", "0.0.0.0"], "loopback only"),
        (["--start", "yesterday"], "ISO instant"),
    ],
)
def test_bad_input_leaves_one_line_and_status_2(tmp_path: Path, arguments: list[str], hint: str) -> None:
    with run("--port", "0", "--state", str(tmp_path), *arguments) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert hint in errors
    assert errors.count("\n") == 1


def test_busy_port_leaves_one_line_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with run("--port", port, "--state", str(tmp_path), "--shift", "0") as process:
            _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert port in errors
    assert errors.count("\n") == 1
