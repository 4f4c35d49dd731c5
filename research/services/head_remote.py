"""Public heads of the ledger, appended to a file in a git remote that others hold."""

import os
import subprocess
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from notifications.models import HeadAnnouncement, HeadPlace
from research.selectors.ledger_export import head_file, public_heads
from signals.models import LedgerHead
from signals.services.alarms import set_alarm

logger = structlog.get_logger(__name__)

FILE = "ledger-heads.jsonl"
ALARM = "ledger remote"
TIMEOUT_SECONDS = 60
AUTHOR = ("-c", "user.name=CoPilot ledger", "-c", "user.email=ledger@localhost")


class RemoteError(Exception):
    """What went wrong, without the remote's address, which may hold a password."""


def append_heads(*, remote: str, now: datetime) -> int:
    """Append the heads that everybody may see and that the remote lacks; how many. An alarm says what went wrong.

    Nothing is ever rewritten there: lines that are not our heads, in our order, are refused.
    """
    heads = public_heads(now)[::-1]
    if not heads or heads[-1].announcements.filter(place=HeadPlace.GIT).exists():
        return 0
    try:
        added = _append(remote, heads)
    except RemoteError as error:
        logger.warning("heads were not appended to the git remote", error=str(error))
        set_alarm(name=ALARM, detail=str(error), now=now)
        return 0
    set_alarm(name=ALARM, detail="", now=now)
    HeadAnnouncement.objects.bulk_create(
        [HeadAnnouncement(head=head, place=HeadPlace.GIT, announced_at=now) for head in heads],
        ignore_conflicts=True,
    )
    return added


def _append(remote: str, heads: list[LedgerHead]) -> int:
    lines = [head_file(head) for head in heads]
    with TemporaryDirectory() as folder:
        _git("clone", "--quiet", "--depth", "1", "--", remote, folder)
        file = Path(folder) / FILE
        known = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        if known != lines[: len(known)]:
            raise RemoteError(f"{FILE} in the git remote holds other heads than this ledger")
        if len(known) < len(lines):
            file.write_bytes(b"".join(lines))
            _git("-C", folder, "add", FILE)
            _git("-C", folder, *AUTHOR, "commit", "--quiet", "-m", f"Heads up to {heads[-1].size} entries")
            _git("-C", folder, "push", "--quiet", "origin", "HEAD")
    return len(lines) - len(known)


def _git(*arguments: str) -> None:
    """RemoteError names the command that failed; git's own words stay here, for they name the address."""
    command = next(each for each in arguments if each in {"clone", "add", "commit", "push"})
    try:
        subprocess.run(  # noqa: S603  (the address is the operator's own setting, behind `--`)
            ["git", *arguments],  # noqa: S607  (wherever the system has it)
            check=True,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )
    except FileNotFoundError:
        raise RemoteError("there is no program git: install it, or leave LEDGER_GIT_REMOTE empty") from None
    except subprocess.TimeoutExpired:
        raise RemoteError(f"git {command} took more than {TIMEOUT_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        raise RemoteError(f"git {command} ended with {error.returncode}") from None
