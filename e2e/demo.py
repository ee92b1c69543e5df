"""The shop as a newcomer runs it: `make demo`'s own program, on a copy of this checkout."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
# What `make e2e` installs from package-lock.json.
PAGE_TOOLS = PROJECT / ".venv" / "page-tools" / "node_modules"
# What a checkout has and a fresh clone has not; .env would change the settings.
NOT_CLONED = shutil.ignore_patterns(".*", "__pycache__", "var", "media", "staticfiles")
LAST_LINE = "Ctrl-C ends all of it.\n"
LOGIN = re.compile(r"^ *Admin +\S+ +(?P<email>\S+) +(?P<password>\S+)$", re.MULTILINE)


@dataclass
class Demo:
    """The demo in `directory`, started and stopped at will; its data stay in between."""

    directory: Path
    port: int
    admin_email: str = ""
    admin_password: str = ""
    more: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @classmethod
    def of_this_checkout(cls, directory: Path) -> "Demo":
        """Copy the checkout below `directory`, so that no other demo and no file is touched."""
        # As root PostgreSQL runs as another user, who has to enter.
        directory.chmod(0o711)
        shutil.copytree(PROJECT, directory / "shop", ignore=NOT_CLONED)
        (directory / "tmp").mkdir(mode=0o711)
        # The sandbox takes the one after the shop's.
        return cls(directory, free_ports(2))

    @classmethod
    @contextmanager
    def running(cls, **more: str) -> Iterator["Demo"]:
        """Run the demo of this checkout in a directory that is gone afterwards.

        `more` goes into its environment.
        """
        with tempfile.TemporaryDirectory(prefix="demo-") as name:
            demo = cls.of_this_checkout(Path(name))
            demo.more = more
            try:
                demo.start()
                yield demo
            finally:
                if demo.is_running:
                    demo.stop()

    @property
    def shop_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.port + 1}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the demo and wait until it has told its login; raises AssertionError otherwise."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "config.demo"],
            cwd=self.directory / "shop",
            env=self._environment() | {"PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = ""
        while not said.endswith(LAST_LINE):
            line = self._process.stdout.readline()
            assert line, f"the demo ended:\n{said}"
            said += line
        login = LOGIN.search(said)
        assert login, said
        self.admin_email, self.admin_password = login["email"], login["password"]

    def run(self, code: str) -> str:
        """Run `code` in Django's shell on the running demo's database; returns what it printed."""
        lines = (self.directory / "shop" / "var" / "demo.env").read_text().splitlines()
        addresses = {"SITE_URL": self.shop_url, "STRIPE_API_HOST": self.sandbox_url}
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", code],
            cwd=self.directory / "shop",
            env=self._environment() | addresses | dict(line.split("=", 1) for line in lines),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def mails(self) -> list[str]:
        """Return the mails that were sent, oldest first."""
        files = (self.directory / "shop" / "var" / "mail").iterdir()
        return [file.read_text() for file in sorted(files, key=lambda file: file.stat().st_mtime)]

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM; returns the exit status, and what was said between that and the end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        said, _ = self._process.communicate()
        return self._process.returncode, said

    def processes(self) -> dict[int, str]:
        """Return every process at work in the directory or named after it, by id, whoever's child.

        PostgreSQL and its guardian are no children of the demo.
        """
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            # Others' processes, and those that end just now.
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(self.directory) in f"{command} {(entry / 'cwd').readlink()}":
                    found[int(entry.name)] = command.strip()
        return found

    def _environment(self) -> dict[str, str]:
        # Little of ours: what the tests' own settings put there is not for the demo.
        ours = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        # All the buyers of these tests come from one address, and leave many orders unpaid.
        caps = {"PENDING_LIMIT_PER_BUYER": "1000", "PENDING_LIMIT_PER_ADDRESS": "1000"}
        return ours | caps | self.more | {"TMPDIR": str(self.directory / "tmp")}

    def busy_ports(self) -> list[int]:
        """Return which of the demo's two ports somebody listens on."""
        return [port for port in (self.port, self.port + 1) if not _is_free(port)]


def free_ports(count: int) -> int:
    """Return the first of so many free ports in a row.

    Below those that the kernel gives to connections: minutes pass before some of them are used.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        if all(map(_is_free, range(port, port + count))):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections that ended just now are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
