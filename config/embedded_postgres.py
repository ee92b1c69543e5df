"""A PostgreSQL server for trying the shop out and for tests; nothing to install, nothing left over.

Every process that uses the server holds a shared lock on a lease file for as long as it lives. A
small guardian process, started beside the server, waits for the exclusive lock. The kernel drops a
process's locks however it dies, so the guardian gets its lock when the last user is gone; then it
stops the server. Real deployments have a server of their own and name it in DATABASE_URL.
"""

import fcntl
import functools
import hashlib
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config import postgres_binaries
from config.postgres_binaries import EmbeddedPostgresError

PROJECT = Path(__file__).resolve().parent.parent
DATABASE = "shop"
PORT = "5432"
# Without ICU, this provider is what folds accented letters alike on every machine.
BUILTIN_LOCALE_SINCE = 17
# The kernel takes 107 bytes; PostgreSQL appends "/.s.PGSQL.5432".
LONGEST_SOCKET_DIRECTORY = 85
PATIENCE_SECONDS = 60.0
LATE_START_SECONDS = 2.0
POLL_SECONDS = 0.02
CREATE_DATABASE = """
SELECT 'CREATE DATABASE shop'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'shop') \\gexec
"""


@dataclass(frozen=True)
class _Cluster:
    """Where one server lives: `home` holds the locks, `home/server` what the server writes."""

    binaries: Path
    home: Path
    socket: Path
    # As root, whom the server runs as; keyword arguments of subprocess.run.
    run_as: dict[str, Any]

    @property
    def data(self) -> Path:
        return self.home / "server" / "data"

    @property
    def log(self) -> Path:
        return self.home / "server" / "log"

    @property
    def url(self) -> str:
        host = quote(str(self.socket), safe="")
        return f"postgres://{DATABASE}@/{DATABASE}?host={host}&port={PORT}"

    def run(
        self, program: str, *arguments: str, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's user, deaf to the caller's PG variables.

        The output goes through a file: the server that pg_ctl leaves behind would hold a pipe open.
        """
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                cwd="/",
                env={key: value for key, value in os.environ.items() if not key.startswith("PG")},
                start_new_session=True,
                **{"stdin": subprocess.DEVNULL} | self.run_as | options,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())


@contextmanager
def server(directory: Path, *, fsync: bool = True) -> Iterator[str]:
    """Lend a running server whose files live below `directory`; yields its DATABASE_URL.

    Leaving waits until the server is gone, unless another process still uses it. `fsync=False`
    is for data nobody will miss; it counts where this call is the one that starts the server.

    Raises EmbeddedPostgresError.
    """
    cluster = _find_cluster(directory)
    held = _take_lease(cluster, directory, fsync=fsync)
    try:
        yield cluster.url
    finally:
        # Only the last user gets the exclusive lock, unless the guardian was faster and holds it.
        is_last = _try_lock(held, fcntl.LOCK_EX) or not _try_lock(held, fcntl.LOCK_SH)
        os.close(held)
        if is_last:
            _await_guardian(cluster)


@functools.cache
def lease(directory: Path) -> str:
    """Start or join the server below `directory` for the life of this process; its DATABASE_URL.

    The lock stays with this process and the children it forks, not with programs it executes.

    Raises EmbeddedPostgresError.
    """
    cluster = _find_cluster(directory)
    _take_lease(cluster, directory, fsync=True)
    return cluster.url


def location(directory: Path) -> Path:
    """Where the files of the server of `directory` really are.

    Raises EmbeddedPostgresError.
    """
    return _find_cluster(directory).home


def run(command: list[str]) -> int:
    """Run `command` with the DATABASE_URL of a throw-away server; its exit status."""
    with tempfile.TemporaryDirectory(prefix="shop-throw-away-") as name:
        directory = Path(name)
        # As root the server runs as another user, who has to enter.
        directory.chmod(0o711)
        try:
            with server(directory, fsync=False) as url:
                environment = dict(os.environ) | {"DATABASE_URL": url}
                return subprocess.run(command, check=False, env=environment).returncode
        finally:
            remove(directory)


def remove(directory: Path) -> None:
    """Stop the server of `directory`, whoever uses it, and delete all of its files."""
    for home in (directory / "postgres", _temporary_home(directory)):
        if home.exists():
            _stop(home / "server" / "data")
            shutil.rmtree(home)


def _take_lease(cluster: _Cluster, directory: Path, *, fsync: bool) -> int:
    """Hold the shared lock, with a server that answers and a living guardian; the descriptor."""
    held = _open_lock(cluster.home, "lease")
    # Starters take turns.
    starting = _open_lock(cluster.home, "starting")
    try:
        fcntl.flock(starting, fcntl.LOCK_EX)
        # Waits for a guardian that is just stopping the server.
        fcntl.flock(held, fcntl.LOCK_SH)
        _ensure_guardian(cluster, directory)
        _ensure_running(cluster, fsync=fsync)
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(starting)
    return held


def _ensure_guardian(cluster: _Cluster, directory: Path) -> None:
    """Start the guardian unless one lives: it keeps the lock that it inherits from here."""
    alive = _open_lock(cluster.home, "guardian")
    if _try_lock(alive, fcntl.LOCK_EX):
        subprocess.run(
            [
                sys.executable,
                "-m",
                "config.embedded_postgres",
                "guard",
                str(cluster.home),
                str(alive),
            ],
            cwd=PROJECT,
            pass_fds=[alive],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
    os.close(alive)


def _guard(home: Path, alive: int) -> None:
    """Wait until nobody uses the server, then stop it; `alive` is the guardian's own lock."""
    # The starter waits for this process and goes on; the guardian, its child, is nobody's zombie.
    if os.fork():
        return
    os.chdir("/")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    held = _open_lock(home, "lease")
    fcntl.flock(held, fcntl.LOCK_EX)
    # After `make clean` the files here belong to another server with another guardian.
    with suppress(FileNotFoundError):
        if os.path.sameopenfile(held, _open_lock(home, "lease")):
            _await_late_start(home / "server" / "data")
            _stop(home / "server" / "data")
    # In this order: whoever gets the lease next must see that this guardian is gone.
    os.close(alive)
    os.close(held)


def _await_late_start(data: Path) -> None:
    """Give a server whose starter was killed the time to become visible."""
    deadline = time.monotonic() + LATE_START_SECONDS
    while not (data / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _await_guardian(cluster: _Cluster) -> None:
    """Return when the server and its guardian are gone, or were removed with their files."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with suppress(FileNotFoundError):
        alive = _open_lock(cluster.home, "guardian")
        while not _try_lock(alive, fcntl.LOCK_EX) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        os.close(alive)


def _ensure_running(cluster: _Cluster, *, fsync: bool) -> None:
    _make_directory(cluster.home / "server", mode=0o700, owner=cluster.run_as.get("user"))
    _make_directory(cluster.socket, mode=0o700, owner=cluster.run_as.get("user"))
    if not cluster.data.exists():
        _initialize(cluster)
    deadline = time.monotonic() + PATIENCE_SECONDS
    # A server that answers is joined, also one that has survived its launcher.
    while not _accepts(cluster):
        if _start(cluster, fsync=fsync).returncode == 0:
            continue
        # What is left of a killed server goes away soon, but keeps the next one out until then.
        is_occupied = (cluster.data / "postmaster.pid").exists()
        if not is_occupied or time.monotonic() > deadline:
            tail = "\n".join(cluster.log.read_text(errors="replace").splitlines()[-8:])
            raise EmbeddedPostgresError(
                f"PostgreSQL did not start; {cluster.log} ends with:\n{tail}"
            )
        time.sleep(POLL_SECONDS)


def _initialize(cluster: _Cluster) -> None:
    """Make the data directory; it gets its name last, so that it is there whole or not at all."""
    for abandoned in cluster.data.parent.glob("unfinished-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    # A name of its own: an initdb may still run whose starter was killed.
    unfinished = cluster.data.with_name(f"unfinished-{os.getpid()}")
    locale = ["--locale=C.UTF-8"]
    if postgres_binaries.major(cluster.binaries) >= BUILTIN_LOCALE_SINCE:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = cluster.run(
        "initdb",
        f"--pgdata={unfinished}",
        f"--username={DATABASE}",
        # Whoever reaches the socket is let in; the mode of its directory guards it.
        "--auth=trust",
        "--encoding=UTF8",
        *locale,
    )
    if done.returncode:
        raise EmbeddedPostgresError(f"initdb failed:\n{done.stdout}")
    unfinished.rename(cluster.data)


def _start(cluster: _Cluster, *, fsync: bool) -> subprocess.CompletedProcess[str]:
    settings = {
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": f'"{cluster.socket}"',
        "fsync": "on" if fsync else "off",
    }
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    return cluster.run(
        "pg_ctl", "start", "-w", f"-D{cluster.data}", f"-l{cluster.log}", "-o", options
    )


def _accepts(cluster: _Cluster) -> bool:
    """Whether the server answers and has the shop's database, which is made here if need be."""
    address = [f"--host={cluster.socket}", f"--port={PORT}", f"--username={DATABASE}"]
    with tempfile.TemporaryFile("w+") as statement:
        statement.write(CREATE_DATABASE)
        statement.seek(0)
        done = cluster.run(
            "psql", "-Xq", "-vON_ERROR_STOP=1", *address, "postgres", stdin=statement
        )
    return done.returncode == 0


def _stop(data: Path) -> None:
    """Have the server end its connections and shut down; returns when it has."""
    pid_file = data / "postmaster.pid"
    with suppress(FileNotFoundError, ProcessLookupError):
        pid = int(pid_file.read_text().split()[0])
        if not _is_server(pid, data):
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while pid_file.exists() and _is_server(pid, data) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _is_server(pid: int, data: Path) -> bool:
    """Whether `pid` still is the server of `data`, and not another process with its number."""
    if sys.platform != "linux":
        return True
    return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes()


def _find_cluster(directory: Path) -> _Cluster:
    """Choose where the server of `directory` lives.

    PostgreSQL refuses to run as root. Below a directory that others cannot enter it gets one of its
    own under the system's temporary directory, for its programs too; no mode is widened.
    """
    binaries = postgres_binaries.find()
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    home = directory / "postgres"
    run_as: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        run_as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        if not (_can_reach(directory, run_as) and _can_reach(binaries / "postgres", run_as)):
            home = _temporary_home(directory)
            _make_directory(home, mode=0o711)
            copying = _open_lock(home, "copying")
            fcntl.flock(copying, fcntl.LOCK_EX)
            binaries = postgres_binaries.copy(binaries, home)
            os.close(copying)
            if not _can_reach(binaries / "postgres", run_as):
                raise EmbeddedPostgresError(
                    f"PostgreSQL does not run as root, and other users cannot enter {home.parent}. "
                    "Set DATABASE_URL to a server, or TMPDIR to a directory that all can enter."
                )
    _make_directory(home, mode=0o711)
    socket = home / "server"
    if len(os.fsencode(socket)) > LONGEST_SOCKET_DIRECTORY:
        _make_directory(_temporary_home(directory), mode=0o711)
        socket = _temporary_home(directory) / "socket"
    return _Cluster(binaries, home, socket, run_as)


def _temporary_home(directory: Path) -> Path:
    name = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"shop-postgres-{name}"


def _make_directory(path: Path, *, mode: int, owner: int | None = None) -> None:
    """Make `path` for `owner` (this process's user), or accept one that is already his."""
    owner = os.geteuid() if owner is None else owner
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(mode)
        os.chown(path, owner, -1)
    status = path.lstat()
    # In a directory that all may write to, somebody may have put his own here first.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner:
        raise EmbeddedPostgresError(f"{path} belongs to another user; remove it (`make clean`).")


def _can_reach(path: Path, run_as: dict[str, Any]) -> bool:
    return subprocess.run(["test", "-x", path], check=False, **run_as).returncode == 0


def _open_lock(home: Path, name: str) -> int:
    return os.open(home / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)


def _try_lock(descriptor: int, operation: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["guard", home_, alive_]:
            _guard(Path(home_), int(alive_))
        case ["remove", directory_]:
            remove(Path(directory_))
        case ["run", *command_]:
            sys.exit(run(command_))
