"""Processes of the shop as tests start them: a worker, the web process, a command; to be killed."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from shop.tests.waiting import wait_until

PROJECT = Path(__file__).parents[2]
# Kept short, so that a killed worker's job is found stalled within the test.
QUICK = {
    "WORKER_POLL_SECONDS": "0.5",
    "WORKER_HEARTBEAT_SECONDS": "0.5",
    "WORKER_STALLED_SECONDS": "3",
    "RETRY_FIRST_SECONDS": "1",
}


def start_worker(environment: Mapping[str, str], fault_point: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=PROJECT,
        env=dict(environment) | QUICK | {"FAULT_POINT": fault_point},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def run_code(environment: Mapping[str, str], fault_point: str, code: str) -> int:
    """Run Python in a process of the shop that dies at a fault point; return its exit code."""
    return subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code],
        cwd=PROJECT,
        env=dict(environment) | {"FAULT_POINT": fault_point},
        capture_output=True,
        check=False,
    ).returncode


def hidden_fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


class Visitor:
    """A browser's part in a conversation with the web process."""

    def __init__(self, port: int, cookies: dict[str, str]) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._cookies = dict(cookies)

    def get(self, path: str) -> requests.Response:
        return self._ask("GET", path)

    def post(self, path: str, fields: dict[str, str]) -> requests.Response:
        return self._ask("POST", path, fields)

    def hidden_fields(self, path: str) -> dict[str, str]:
        """Return what the form at `path` sends unasked."""
        return hidden_fields(self.get(path).text)

    def _ask(self, method: str, path: str, data: dict[str, str] | None = None) -> requests.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        # Not a session of requests: its cookies would belong to another host than the shop's.
        answer = requests.request(
            method,
            self._url + path,
            data=data,
            headers={"Host": "testserver", "Cookie": cookies},
            allow_redirects=False,
            timeout=30,
        )
        self._cookies |= answer.cookies.get_dict()
        return answer


@contextmanager
def web(
    environment: Mapping[str, str], fault_point: str, cookies: dict[str, str]
) -> Iterator[Visitor]:
    """Serve the shop by the web process; yield a visitor of it with these cookies."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
    settings = {
        "FAULT_POINT": fault_point,
        "WEB_CONCURRENCY": "1",
        "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}",
    }
    with subprocess.Popen(
        [sys.executable, "manage.py", "web"],
        cwd=PROJECT,
        env=dict(environment) | settings,
        stderr=subprocess.PIPE,
    ) as process:
        visitor = Visitor(port, cookies)
        try:
            wait_until(lambda: _answers(visitor))
            yield visitor
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _answers(visitor: Visitor) -> bool:
    try:
        return visitor.get("/health").ok
    except requests.ConnectionError:
        return False
