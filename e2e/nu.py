"""The Nu HTML checker, the W3C's: https://validator.github.io/validator/."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from e2e.demo import HOST, PAGE_TOOLS, free_ports

JAR = PAGE_TOOLS / "vnu-jar" / "build" / "dist" / "vnu.jar"
IS_READY = "Checker service started"

Checker = Callable[[str], list[str]]


@contextmanager
def checker() -> Iterator[Checker]:
    """Start the checker once for many pages: it takes seconds to start and less than one a page.

    What is yielded takes a page's source and returns what is wrong with it, warnings too.
    """
    port = free_ports(1)
    command = ["java", f"-Dnu.validator.servlet.bind-address={HOST}", "-cp", str(JAR)]
    command += ["nu.validator.servlet.Main", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any(IS_READY in line for line in process.stdout), "the checker did not start"
            yield lambda source: _check(f"http://{HOST}:{port}/?out=json", source)
        finally:
            process.terminate()


def _check(address: str, source: str) -> list[str]:
    answer = requests.post(
        address,
        data=source.encode(),
        headers={"Content-Type": "text/html; charset=utf-8"},
        timeout=30,
    )
    answer.raise_for_status()
    return [
        f"{message['message']} (line {message.get('lastLine')}: {message.get('extract', '')!r})"
        for message in answer.json()["messages"]
    ]
