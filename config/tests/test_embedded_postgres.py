import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from environ import Env

from config import embedded_postgres
from shop.tests.waiting import wait_until

PATIENCE_SECONDS = 20
# A process that uses the server until it is killed.
USER = """
import signal, sys
from pathlib import Path
from config import embedded_postgres
print(embedded_postgres.lease(Path(sys.argv[1])), flush=True)
signal.pause()
"""
# A process that leaves the use of the server to a child of its own, and prints the child's id.
PARENT = """
import os, signal, sys
from pathlib import Path
from config import embedded_postgres
embedded_postgres.lease(Path(sys.argv[1]))
child = os.fork()
if child:
    print(child, flush=True)
else:
    signal.pause()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that every user may enter."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o711)
    yield path
    embedded_postgres.remove(path)


def test_a_server_answers_at_its_url_and_is_gone_after_its_only_user(directory: Path) -> None:
    with embedded_postgres.server(directory) as url, psycopg.connect(url) as connection:
        query = "SELECT current_database(), lower('ÉCLAIR'), current_setting('listen_addresses')"
        row = connection.execute(query).fetchone()
        fsync = connection.execute("SHOW fsync").fetchone()

    assert row == ("shop", "éclair", "")
    assert fsync == ("on",)
    assert_ended(directory)


def test_django_reads_the_url(directory: Path) -> None:
    with embedded_postgres.server(directory) as url:
        settings = Env.db_url_config(url)

    assert (settings["ENGINE"], settings["NAME"]) == ("django.db.backends.postgresql", "shop")
    assert settings["OPTIONS"]["host"] == str(embedded_postgres.location(directory) / "server")


def test_a_second_user_joins_and_the_first_may_leave_before_him(directory: Path) -> None:
    with ExitStack() as second:
        with embedded_postgres.server(directory) as first_url:
            started = postmaster(directory)
            second_url = second.enter_context(embedded_postgres.server(directory))

        assert (second_url, postmaster(directory)) == (first_url, started)
        assert answers(second_url)

    assert_ended(directory)


def test_users_that_start_together_share_one_server(directory: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(process(USER, directory)) for _ in range(3)]
        urls = {read_line(user) for user in users}

        assert len(urls) == 1
        assert answers(urls.pop())
        for user in users:
            user.kill()

    assert_ended(directory)


def test_a_killed_user_leaves_no_server(directory: Path) -> None:
    with process(USER, directory) as user:
        url = read_line(user)
        assert answers(url)

        user.kill()

    assert_ended(directory)


def test_a_forked_child_keeps_the_server_of_its_parent(directory: Path) -> None:
    with process(PARENT, directory) as parent:
        child = int(read_line(parent))
        assert parent.wait() == 0

    with embedded_postgres.server(directory):
        joined = postmaster(directory)
    assert postmaster(directory) == joined

    os.kill(child, signal.SIGKILL)
    assert_ended(directory)


def test_a_killed_server_comes_back_with_what_was_committed(directory: Path) -> None:
    with embedded_postgres.server(directory) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        os.kill(postmaster(directory), signal.SIGKILL)

    with embedded_postgres.server(directory) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)

    assert_ended(directory)


def test_the_next_user_replaces_a_killed_guardian(directory: Path) -> None:
    with embedded_postgres.server(directory):
        (killed,) = guardians(directory)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in guardians(directory), seconds=PATIENCE_SECONDS)

        with embedded_postgres.server(directory):
            assert len(guardians(directory)) == 1

    assert_ended(directory)


def test_a_directory_that_others_cannot_enter_keeps_its_mode(directory: Path) -> None:
    private = directory / "private"
    private.mkdir(mode=0o700)
    project = private / "var"

    with embedded_postgres.server(project) as url:
        assert answers(url)
        home = embedded_postgres.location(project)
    embedded_postgres.remove(project)

    assert not home.exists()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_a_path_too_long_for_a_socket_does_not_matter(directory: Path) -> None:
    deep = directory / ("d" * 60) / ("e" * 60)

    with embedded_postgres.server(deep) as url:
        assert answers(url)
    embedded_postgres.remove(deep)


def test_removing_stops_the_server_under_its_users(directory: Path) -> None:
    with embedded_postgres.server(directory) as url:
        embedded_postgres.remove(directory)

        assert not answers(url)


@contextmanager
def process(program: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, str(directory)]
    project = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def pid_file(directory: Path) -> Path:
    return embedded_postgres.location(directory) / "server" / "data" / "postmaster.pid"


def postmaster(directory: Path) -> int:
    return int(pid_file(directory).read_text().split()[0])


def guardians(directory: Path) -> list[int]:
    """The ids of the living guardian processes of `directory`."""
    home = os.fsencode(embedded_postgres.location(directory))
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"guard" in arguments and home in arguments:
            found.append(int(path.parent.name))
    return found


def assert_ended(directory: Path) -> None:
    """Neither a server nor a guardian is left, or will be in a moment."""
    wait_until(
        lambda: not pid_file(directory).exists() and not guardians(directory),
        seconds=PATIENCE_SECONDS,
    )
