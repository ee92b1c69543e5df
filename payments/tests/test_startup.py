"""Processes wait for their database with a word on it, and start only on tables they know."""

import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from payments import startup

PROJECT = Path(__file__).parents[2]


def start(command: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", command],
        cwd=PROJECT,
        env=dict(environment) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(command: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Return the status a process ends with, and the last line of what it complained of."""
    with start(command, environment) as process:
        try:
            _output, complaints = process.communicate(timeout=60)
        finally:
            # One that started after all would outlive its test.
            process.kill()
    return process.returncode, complaints.splitlines()[-1]


def address() -> tuple[str, str]:
    """Return host and port of the tests' PostgreSQL; its host may be a Unix socket's directory."""
    url = urlsplit(os.environ["DATABASE_URL"])
    known = parse_qs(url.query)
    return url.hostname or known["host"][0], str(url.port or known["port"][0])


@pytest.fixture
def reserved_port() -> Iterator[int]:
    """A port that nobody listens on yet."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield reserved.getsockname()[1]


@contextmanager
def postgres_at(port: int) -> Iterator[None]:
    """Let the tests' PostgreSQL be found at `port` from now on."""
    host, number = address()

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            is_local = host.startswith("/")
            with socket.socket(socket.AF_UNIX if is_local else socket.AF_INET) as server:
                server.connect(f"{host}/.s.PGSQL.{number}" if is_local else (host, int(number)))
                back = threading.Thread(target=pump, args=(server, self.request))
                back.start()
                pump(self.request, server)
                back.join()

    def pump(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

    with Server(("127.0.0.1", port), Forward) as server:
        threading.Thread(target=server.serve_forever).start()
        yield
        server.shutdown()


@pytest.mark.django_db(transaction=True)
def test_a_process_waits_for_its_database_and_says_for_which(
    process_environment: Mapping[str, str], reserved_port: int
) -> None:
    database = urlsplit(process_environment["DATABASE_URL"]).path
    url = f"postgres://shop:secret-word@127.0.0.1:{reserved_port}{database}"

    with start("worker", dict(process_environment) | {"DATABASE_URL": url}) as worker:
        assert worker.stdout is not None
        assert worker.stderr is not None
        word = worker.stderr.readline()
        with postgres_at(reserved_port):
            assert worker.stdout.readline() == "worker: ready\n"
            worker.terminate()
            _output, more = worker.communicate(timeout=20)

    assert f"Waiting for the database at 127.0.0.1:{reserved_port}: Connection refused" in word
    assert "secret-word" not in word + more


@pytest.mark.parametrize("command", ["web", "worker", "migrate"])
def test_a_process_gives_up_on_a_database_that_does_not_come(
    command: str, monkeypatch: pytest.MonkeyPatch, reserved_port: int
) -> None:
    monkeypatch.setattr(startup, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", str(reserved_port))
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "secret-word")

    with pytest.raises(CommandError) as given_up:
        call_command(command)

    assert str(given_up.value) == (
        f"No database at 127.0.0.1:{reserved_port} within 0 s: Connection refused"
    )


@pytest.mark.django_db
def test_a_database_that_refuses_the_shop_is_not_waited_for(
    process_environment: Mapping[str, str],
) -> None:
    url = urlsplit(process_environment["DATABASE_URL"])._replace(path="/nowhere").geturl()

    status, complaint = run("web", dict(process_environment) | {"DATABASE_URL": url})

    assert status == 1
    assert complaint == (
        f"CommandError: The database at {':'.join(address())} refuses this shop: "
        'FATAL:  database "nowhere" does not exist. Check DATABASE_URL.'
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", ["web", "worker"])
def test_a_process_does_not_start_on_tables_that_are_too_old(
    process_environment: Mapping[str, str], command: str
) -> None:
    ((_app, newest),) = MigrationLoader(connection).graph.leaf_nodes("payments")
    MigrationRecorder(connection).record_unapplied("payments", newest)
    try:
        status, complaint = run(command, process_environment)
    finally:
        MigrationRecorder(connection).record_applied("payments", newest)

    assert status == 1
    assert complaint == (
        f"CommandError: The database lacks migrations of this version (payments.{newest}), so "
        "this process does not start. Run: manage.py migrate (with compose: docker compose run "
        "--rm migrate)"
    )


@pytest.mark.django_db
def test_tables_of_a_later_version_are_no_hindrance() -> None:
    MigrationRecorder(connection).record_applied("payments", "9999_of_the_next_version")

    assert startup.missing_migrations() == []
    startup.require_migrations()
