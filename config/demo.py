"""`make demo`: the whole shop on this machine, with a sandbox in Stripe's place.

This process starts PostgreSQL, prepares the database, then starts the sandbox, the web server and a
worker, and watches them: one that ends, Ctrl-C or SIGTERM ends all. Its files are under var/.
"""

import ctypes
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from config import demo_setup, embedded_postgres
from config.postgres_binaries import EmbeddedPostgresError

PROJECT = Path(__file__).resolve().parent.parent
VAR = PROJECT / "var"
HOST = "127.0.0.1"
DEFAULT_PORT = 8000
# A demo that was killed just now leaves its ports within this time.
PORT_SECONDS = 5.0
START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.1
LOG_LINES = 15
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True)
class Part:
    """One process of the demo: Python with `arguments`.

    Where it has an `address` (port and path), it answers there once it is ready.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    address: tuple[int, str] | None = None


Processes = list[tuple[Part, subprocess.Popen[bytes]]]


def main() -> int:
    """Run the demo until it is told to stop; the process's exit status."""
    # SIGINT too: a shell that starts this in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            try:
                run(stack)
            finally:
                # A second Ctrl-C must not break off the clean-up.
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:
        say("Stopped. `make demo` goes on where this ended, `make clean` forgets it all.")
        return 0
    except (DemoError, EmbeddedPostgresError) as error:
        print(error, file=sys.stderr)
    return 1


def run(stack: ExitStack) -> None:
    """Start everything on `stack`, then wait for the first process to end.

    Raises DemoError, EmbeddedPostgresError, KeyboardInterrupt.
    """
    port = web_port(os.environ)
    with_sandbox = not has_own_stripe(os.environ)
    for needed in [port, port + 1] if with_sandbox else [port]:
        require_free(needed)

    for name in ("log", "mail", "media"):
        (VAR / name).mkdir(parents=True, exist_ok=True)
    kept = keep_secrets(VAR / "demo.env")
    environment = dict(os.environ) | {
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE") or "config.settings",
        "DATABASE_URL": os.environ.get("DATABASE_URL") or _start_postgres(stack),
        "SECRET_KEY": kept["SECRET_KEY"],
        "DEBUG": "0",
        "SITE_URL": f"http://{HOST}:{port}",
        "EMAIL_URL": f"filemail:///{quote(str(VAR / 'mail'))}",
        "STAFF_EMAIL": demo_setup.ADMIN_EMAIL,
        "MEDIA_ROOT": str(VAR / "media"),
        "PYTHONUNBUFFERED": "1",
        "GUNICORN_CMD_ARGS": f"--bind {HOST}:{port} --graceful-timeout 5",
        # The login that is printed works in one step.
        "STAFF_SECOND_FACTOR": os.environ.get("STAFF_SECOND_FACTOR") or "0",
        # Whoever tries the shop out reads its logs without a program.
        "LOG_FORMAT": os.environ.get("LOG_FORMAT") or "console",
    }
    if with_sandbox:
        environment |= {
            "STRIPE_API_HOST": f"http://{HOST}:{port + 1}",
            "STRIPE_SECRET_KEY": kept["STRIPE_SECRET_KEY"],
            "STRIPE_PUBLISHABLE_KEY": kept["STRIPE_SECRET_KEY"].replace("sk_", "pk_", 1),
            "STRIPE_WEBHOOK_SECRET": kept["STRIPE_WEBHOOK_SECRET"],
            # What an account of one's own takes is not known; the sandbox takes both.
            "PAYMENT_METHODS": "card,sepa_debit",
        }
    webhook = _prepare_in_child(environment | {"ADMIN_PASSWORD": kept["ADMIN_PASSWORD"]})

    environment["STRIPE_WEBHOOK_URL"] = webhook
    processes = stack.enter_context(started(_parts(port, with_sandbox=with_sandbox), environment))
    say(_summary(port, kept["ADMIN_PASSWORD"], "" if with_sandbox else webhook))
    watch(processes)


def web_port(environment: Mapping[str, str]) -> int:
    """Return PORT, below the last one: the sandbox takes the next.

    Raises DemoError.
    """
    text = environment.get("PORT") or str(DEFAULT_PORT)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65535:
        raise DemoError(f"PORT must be a number from 1 to 65534, not {text!r}.")
    return int(text)


def has_own_stripe(environment: Mapping[str, str]) -> bool:
    """Whether the environment names a Stripe account to use in the place of the sandbox.

    Raises DemoError where it does so by half.
    """
    names = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
    missing = [name for name in names if not environment.get(name)]
    if len(missing) == 1:
        raise DemoError(
            f"{missing[0]} is missing: set both {' and '.join(names)} to use your own Stripe "
            "account, or neither to use the sandbox."
        )
    return not missing


def require_free(port: int) -> None:
    """Wait a moment for `port` to be free.

    Raises DemoError.
    """
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        with socket.socket() as probe:
            # As the servers do: connections that ended just now are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                if time.monotonic() > deadline:
                    raise DemoError(
                        f"Port {port} of {HOST} cannot be used ({error.strerror}). The demo needs "
                        "this one; choose others with PORT: make demo PORT=9000"
                    ) from error
            else:
                return
        time.sleep(POLL_SECONDS)


def keep_secrets(path: Path) -> dict[str, str]:
    """Return the demo's secrets, made once and kept in `path`, which only this user can read."""
    values = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(12)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
    }
    if path.exists():
        values |= dict(line.split("=", 1) for line in path.read_text().splitlines())
    # Written whole or not at all.
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    unfinished.replace(path)
    return values


@contextmanager
def started(parts: list[Part], environment: Mapping[str, str]) -> Iterator[Processes]:
    """Lend the processes of `parts`, ready for use; none of them is left afterwards.

    Raises DemoError.
    """
    processes: Processes = []
    try:
        for part in parts:
            say(f"Starting {part.name} ...")
            processes.append((part, _start(part, environment)))
        for part, process in processes:
            _await_ready(part, process)
        yield processes
    finally:
        say("\nStopping ...")
        _end(process for _part, process in processes)


def watch(processes: Processes) -> NoReturn:
    """Wait for the first process to end; this is always an error, and says which one.

    Raises DemoError.
    """
    while True:
        for part, process in processes:
            _require_running(part, process)
        time.sleep(POLL_SECONDS)


def say(text: str) -> None:
    print(text, flush=True)


def _start_postgres(stack: ExitStack) -> str:
    say("Starting PostgreSQL ...")
    url = stack.enter_context(embedded_postgres.server(VAR))
    home = embedded_postgres.location(VAR)
    if not home.is_relative_to(VAR):
        say(f"Others cannot enter {VAR}, so the database is in {home} (`make clean` removes it).")
    return url


def _prepare_in_child(environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "config.demo_setup"]
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    ) as child:
        try:
            answer, _ = child.communicate()
        except KeyboardInterrupt:
            child.terminate()
            raise
    if child.returncode:
        raise DemoError("The database could not be prepared; the reason stands above.")
    return answer.strip()


def _parts(port: int, *, with_sandbox: bool) -> list[Part]:
    sandbox = ["-m", "stripe_sandbox", "--port", str(port + 1)]
    sandbox += ["--state", str(VAR / "stripe_sandbox.sqlite3")]
    logs = VAR / "log"
    parts = [
        Part("web", ("manage.py", "web"), logs / "web.log", (port, "/health")),
        Part("worker", ("manage.py", "worker"), logs / "worker.log"),
    ]
    if with_sandbox:
        address = (port + 1, "/_sandbox/faults")
        parts.insert(0, Part("sandbox", tuple(sandbox), logs / "sandbox.log", address))
    return parts


def _summary(port: int, password: str, webhook: str) -> str:
    shop = f"http://{HOST}:{port}"
    stripe = f"Webhook   {webhook}" if webhook else f"Sandbox   http://{HOST}:{port + 1}"
    return f"""
  Shop      {shop}
  Admin     {shop}/admin/  {demo_setup.ADMIN_EMAIL}  {password}
  Card      4242 4242 4242 4242, any date to come, any CVC
  {stripe}
  Mail      {VAR / "mail"}
  Logs      {VAR / "log"}

Ctrl-C ends all of it."""


def _start(part: Part, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start `part` in a session of its own, out of reach of the terminal's Ctrl-C."""
    with part.log.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *part.arguments],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )


def _end_with_parent() -> None:
    """Have the kernel kill this process when the demo is killed; Linux only.

    The database goes at the same time, so that there is nothing left to end in good order.
    """
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _await_ready(part: Part, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while part.address and not _answers(*part.address):
        _require_running(part, process)
        if time.monotonic() > deadline:
            raise DemoError(f"{part.name} does not answer; see {part.log}")
        time.sleep(POLL_SECONDS)
    _require_running(part, process)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=START_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _require_running(part: Part, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        tail = "\n".join(part.log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        raise DemoError(
            f"{part.name} ended (status {process.returncode}), so everything else was ended too. "
            f"{part.log} ends with:\n{tail}"
        )


def _end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, then end those that do not; their children too."""
    running = list(processes)
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
