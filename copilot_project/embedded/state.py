"""Where a checkout keeps what must outlive a run, and where its sockets are.

Nothing here touches the disk unless its name says so: settings ask for paths before anything was started.
"""

import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from copilot_project.embedded.error import EmbeddedError

CHECKOUT = Path(__file__).resolve().parents[2]
MARKER = ".copilot"
CACHE_DATABASE = 1
OWNER, APPLICATION, EXECUTOR = "copilot", "copilot_app", "copilot_executor"  # roles of the embedded Postgres
POSTGRES_SOCKET = ".s.PGSQL.5432"
SUN_PATH_LIMIT = 107  # bytes that the kernel takes for the name of a unix socket


def state_dir() -> Path:
    """One folder per checkout, so that two clones never share a database."""
    if chosen := os.environ.get("COPILOT_STATE_DIR"):
        return Path(chosen).expanduser().resolve()
    return _base() / f"{CHECKOUT.name}-{_hash(CHECKOUT)}"


def _base() -> Path:
    # Root's server runs as a system user, who may not enter /root.
    if os.geteuid() == 0:
        return Path("/var/lib/copilot")
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "copilot"


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]


def postgres_socket_dir(state: Path) -> Path:
    return _socket_dir(state, "postgres", POSTGRES_SOCKET)


def redis_socket(state: Path) -> Path:
    """The unix socket of the embedded Redis, the only address it has."""
    return _socket_dir(state, "redis", "redis.sock") / "redis.sock"


def redis_url(state: Path) -> str:
    """The URL of the embedded Redis as redis-py reads it; kombu says `redis+socket` for `unix`."""
    return f"unix://{redis_socket(state)}"


def with_database(url: str, number: int) -> str:
    """Another database of the same Redis."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"{url.partition('?')[0]}?db={number}"
    return parts._replace(path=f"/{number}").geturl()


def database_url(state: Path, name: str = "copilot", *, role: str = OWNER) -> str:
    """The URL of a database of the embedded Postgres; its host is the quoted folder of the socket."""
    return f"postgresql://{role}@{quote(str(postgres_socket_dir(state)), safe='')}/{name}"


def own_folder(home: Path) -> Path:
    """A folder below `home` for this process alone, not made yet; those of processes that were killed are removed."""
    for left in home.glob("*"):
        if not Path("/proc", left.name).exists():
            shutil.rmtree(left, ignore_errors=True)
    return home / str(os.getpid())


def _socket_dir(state: Path, service: str, socket_name: str) -> Path:
    run = state / service / "run"
    if len(os.fsencode(run / socket_name)) <= SUN_PATH_LIMIT:
        return run
    return short_socket_home() / _hash(state) / service


def short_socket_home() -> Path:
    return Path(tempfile.gettempdir()) / f"copilot-{os.geteuid()}"


@contextmanager
def explained(state: Path) -> Iterator[None]:
    """Turn a refusal of the file system below the state folder into an EmbeddedError."""
    try:
        yield
    except OSError as error:
        raise EmbeddedError(
            f"cannot write to the state folder {state} ({error.strerror}: {error.filename}): "
            "make it writable, or set COPILOT_STATE_DIR to a folder that is"
        ) from error


def make_service_dir(state: Path, service: str, owner: int) -> Path:
    """Create and mark `<state>/<service>` for user id `owner`.

    Raises EmbeddedError when somebody else's files lie there.
    """
    folder = state / service
    with explained(state):
        make_passable(state)
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise EmbeddedError(
                f"{folder} is not empty and was not made by CoPilot: "
                "move it away, or set COPILOT_STATE_DIR to an empty folder"
            )
        _refuse_stranger(folder, owner)
        (folder / MARKER).touch()
        _hand_over(folder, owner)
    return folder


def make_socket_dir(folder: Path, owner: int) -> None:
    """Create the folder of a socket for user id `owner`.

    A short one is in a public place, so its owner is checked first.
    """
    home = short_socket_home()
    with explained(folder):
        if folder.is_relative_to(home):
            make_passable(home)
            if home.is_symlink() or home.stat().st_uid != os.geteuid():
                raise EmbeddedError(
                    f"{home} belongs to somebody else: remove it, or set COPILOT_STATE_DIR to a shorter path"
                )
            make_passable(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _hand_over(folder, owner)


def make_passable(folder: Path) -> None:
    """Create it and its missing parents; root's must let the server's own user pass, whatever the umask."""
    mode = 0o711 if os.geteuid() == 0 else 0o700
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(mode)


def _refuse_stranger(folder: Path, owner: int) -> None:
    found = folder.stat().st_uid
    if found not in (owner, os.geteuid()):
        raise EmbeddedError(
            f"{folder} belongs to user {_user_name(found)}: "
            "run as that user, or set COPILOT_STATE_DIR to a folder of your own"
        )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _hand_over(folder: Path, owner: int) -> None:
    if folder.stat().st_uid != owner:
        os.chown(folder, owner, pwd.getpwuid(owner).pw_gid)
    folder.chmod(0o700)
