"""SIGTERM to the web process: whoever got a connection gets his whole answer, then it is gone."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from django.conf import settings

from cart.models import CartLine
from config import gunicorn_conf
from shop.tests.factories import VariantFactory
from shop.tests.waiting import wait_until

PROJECT = Path(__file__).parents[2]
HOST = "127.0.0.1"
# Less than gunicorn's grace: nothing here may depend on its running out.
PATIENCE = 28
CLIENTS = 8
needs_database = pytest.mark.django_db(transaction=True)


@dataclass
class Web:
    """gunicorn as it is shipped, started by the shop's own command."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=PATIENCE)

    def refuses(self) -> bool:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    def workers(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def signal_workers(self, number: int) -> None:
        for pid in self.workers():
            os.kill(pid, number)


@contextmanager
def started(environment: Mapping[str, str], directory: Path) -> Iterator[Web]:
    with socket.socket() as reserved:
        reserved.bind((HOST, 0))
        port: int = reserved.getsockname()[1]
    log = directory / "web.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "manage.py", "web"],
            cwd=PROJECT,
            env=dict(environment) | {"GUNICORN_CMD_ARGS": f"--bind {HOST}:{port}"},
            stderr=file,
        ) as process,
    ):
        try:
            yield Web(process, port, log)
        finally:
            process.terminate()


@pytest.fixture
def web(process_environment: Mapping[str, str], tmp_path: Path) -> Iterator[Web]:
    """The web process, each of whose workers has answered once."""
    with started(process_environment, tmp_path) as web:
        wait_until(lambda: len(web.workers()) == gunicorn_conf.workers and not web.refuses())
        for other in web.workers():
            os.kill(other, signal.SIGSTOP)
            assert ask(web, page("/health")) == 200
            os.kill(other, signal.SIGCONT)
        yield web


def page(path: str, *, connection: str = "keep-alive") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: testserver\r\nConnection: {connection}\r\n\r\n".encode()


def addition(variant_id: int, *, connection: str = "keep-alive") -> bytes:
    """Return the request of somebody without a cart who puts one unit into it."""
    body = f"variant={variant_id}&quantity=1"
    return (
        f"POST /cart/add/ HTTP/1.1\r\nHost: testserver\r\nConnection: {connection}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        f"{body}"
    ).encode()


def answer(connected: socket.socket) -> http.client.HTTPResponse:
    """Read one whole answer; raises where it is cut short."""
    response = http.client.HTTPResponse(connected)
    response.begin()
    response.read()
    return response


def ask(web: Web, request: bytes) -> int:
    with web.connect() as connected:
        connected.sendall(request)
        return answer(connected).status


@needs_database
def test_no_request_is_lost_when_it_reloads_and_stops_under_load(web: Web) -> None:
    variant = VariantFactory()
    statuses: list[list[int]] = [[] for _ in range(CLIENTS)]

    def shop(own: list[int], request: bytes) -> None:
        """Ask again and again until nobody is let in; whatever else goes wrong is raised."""
        while True:
            try:
                connected = web.connect()
            except ConnectionRefusedError:
                return
            with connected:
                stays = True
                while stays:
                    connected.sendall(request)
                    response = answer(connected)
                    own.append(response.status)
                    stays = response.getheader("Connection") == "keep-alive"

    # Half of them come anew for each request.
    requests = [addition(variant.pk, connection=kind) for kind in ("keep-alive", "close")]
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(shop, statuses[n], requests[n % 2]) for n in range(CLIENTS)]
        try:
            old = web.workers()
            web.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not old & web.workers())
            served = [len(own) for own in statuses]
            wait_until(lambda: all(map(int.__gt__, map(len, statuses), served)))
        finally:
            web.process.terminate()
        for client in clients:
            client.result(PATIENCE)

    answered = list(chain.from_iterable(statuses))
    assert web.process.wait(PATIENCE) == 0
    assert set(answered) == {302}
    assert CartLine.objects.count() == len(answered)
    # The log has the shop's own line for each, and none of gunicorn's.
    log = web.log.read_text()
    assert log.count('"path": "/cart/add/"') == len(answered)
    assert "gunicorn.access" not in log


@needs_database
def test_whoever_is_connected_is_served_and_nobody_is_let_in_any_more(web: Web) -> None:
    request = addition(VariantFactory().pk)
    running, idle = web.connect(), web.connect()
    running.sendall(request[:-1])
    idle.sendall(page("/health"))
    assert answer(idle).getheader("Connection") == "keep-alive"

    # Now gunicorn accepts nobody: these are connected to the kernel alone.
    web.signal_workers(signal.SIGSTOP)
    wait_until(lambda: all(map(stands_still, web.workers())))
    queued = [web.connect() for _ in range(3 * CLIENTS)]
    for connected in queued:
        connected.sendall(request)
    idle.sendall(page("/health"))
    web.process.terminate()
    wait_until(lambda: all(map(is_told_to_stop, web.workers())))
    web.signal_workers(signal.SIGCONT)

    last = answer(idle)
    wait_until(web.refuses)
    running.sendall(request[-1:])
    assert {answer(connected).status for connected in [running, *queued]} == {302}
    assert (last.status, last.getheader("Connection")) == (200, "close")
    assert CartLine.objects.count() == 1 + len(queued)
    assert web.process.wait(PATIENCE) == 0
    for connected in [running, idle, *queued]:
        connected.close()


def stands_still(pid: int) -> bool:
    """Whether every thread has met SIGSTOP; until then one could take the SIGTERM that follows."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all("State:\tT" in (thread / "status").read_text() for thread in threads)


def is_told_to_stop(pid: int) -> bool:
    """Whether a stopped process will find SIGTERM when it goes on."""
    status = Path(f"/proc/{pid}/status").read_text()
    (pending,) = [line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd")]
    return bool(int(pending, 16) & 1 << signal.SIGTERM - 1)


@needs_database
def test_a_client_that_does_not_hang_up_holds_up_nobody(web: Web) -> None:
    silent = [web.connect() for _ in range(2 * CLIENTS)]
    for connected in silent:
        connected.sendall(page("/health", connection="close"))
        assert answer(connected).status == 200

    begun = time.monotonic()
    statuses = {ask(web, page("/health")) for _ in range(CLIENTS)}

    # gunicorn's own worker waits two seconds for each of them.
    assert statuses == {200}
    assert time.monotonic() - begun < 8
    for connected in silent:
        connected.close()


@needs_database
@pytest.mark.parametrize("word", ["", "Booting worker"])
def test_a_stop_while_it_starts_ends_it_soon(
    process_environment: Mapping[str, str], tmp_path: Path, word: str
) -> None:
    with started(process_environment, tmp_path) as web:
        wait_until(said(web, word))
        web.process.terminate()

        assert web.process.wait(PATIENCE) in {0, -signal.SIGTERM}

    assert web.refuses()


def said(web: Web, word: str) -> Callable[[], bool]:
    return lambda: word in web.log.read_text()


def test_every_thread_finds_a_database_connection() -> None:
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]

    assert pool["max_size"] > gunicorn_conf.threads
