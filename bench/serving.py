"""What is measured, set up and served: a database of its own, and gunicorn as in production."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.load import Server
from bench.targets import Target, dump, load
from config import embedded_postgres
from config.demo import HOST, Part, started

PROJECT = Path(__file__).resolve().parent.parent
# As `manage.py web` does, for any settings; gunicorn imports from where it is started.
GUNICORN = """
import os, sys
os.chdir(sys.argv.pop(1))
from gunicorn.app.wsgiapp import run
run()
"""
# What is done by the way shall not be told request by request.
QUIET = {"LOG_LEVEL": "WARNING"}

Environment = Mapping[str, str]


class SetupError(Exception):
    """The benchmark cannot be set up; the message says why."""


@contextmanager
def scratch() -> Iterator[Path]:
    """Lend a directory that is gone afterwards, with whatever database server is in it."""
    with tempfile.TemporaryDirectory(prefix="shop-bench-") as name:
        # As root PostgreSQL runs as another user, who has to enter.
        Path(name).chmod(0o711)
        try:
            yield Path(name)
        finally:
            embedded_postgres.remove(Path(name))


@contextmanager
def database(directory: Path) -> Iterator[str]:
    """Lend the URL of an empty database that is gone afterwards.

    It is on the server of DATABASE_URL, beside the database named there, else on one of our own.
    """
    given = os.environ.get("DATABASE_URL")
    if not given:
        with embedded_postgres.server(directory) as url:
            yield url
        return
    name = f"bench_{os.getpid()}"
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(given)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextmanager
def database_like(url: str) -> Iterator[str]:
    """Lend the URL of a copy of a database, beside it, that is gone afterwards."""
    address = urlsplit(url)
    original = address.path.removeprefix("/")
    name = f"{original}_copy"
    server = address._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        names = sql.Identifier(name), sql.Identifier(original)
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        try:
            yield address._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


def environment(database_url: str, directory: Path) -> dict[str, str]:
    """Return the environment of a shop in production, with no Stripe that anybody asks."""
    return dict(os.environ) | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DEBUG": "0",
        "TESTING": "0",
        "SITE_URL": f"http://{HOST}",
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(12)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        "MEDIA_ROOT": str(directory / "media"),
        # What is added to a cart over and over shall still be added.
        "CART_LINE_LIMIT": "1000000",
        "PYTHONUNBUFFERED": "1",
    }


def prepare(shop: Environment) -> list[Target]:
    """Fill the database; return what there is to ask for. Raises SetupError."""
    return load(run_python({**shop, **QUIET}, "-m", "bench.prepare"))


def count_statements(targets: list[Target], settings: Environment) -> list[tuple[float, float]]:
    """Return statements per request and their milliseconds, of each target. Raises SetupError."""
    told = run_python({**settings, **QUIET}, "-m", "bench.queries", given=dump(targets))
    return [(count, spent_ms) for count, spent_ms in json.loads(told)]


@contextmanager
def serving(
    name: str, checkout: Path, settings: Environment, directory: Path, path: str
) -> Iterator[Server]:
    """Lend a server of the checkout that answers at `path`. Raises DemoError, SetupError."""
    if checkout != PROJECT:
        command = ("manage.py", "collectstatic", "--no-input", "-v", "0")
        run_python(settings, *command, checkout=checkout)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    gunicorn: tuple[str, ...] = ("-c", GUNICORN, str(checkout), "config.wsgi")
    gunicorn += ("--config", "python:config.gunicorn_conf", "--bind", f"{HOST}:{port}")
    part = Part(name, gunicorn, directory / f"{name}.log", (port, path))
    with started([part], settings) as [(_part, process)]:
        yield Server(name, port, process.pid)


def run_python(
    settings: Environment, *arguments: str, checkout: Path = PROJECT, given: str = ""
) -> str:
    """Run Python in a checkout and return what it printed to stdout; raises SetupError."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=settings,
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SetupError(f"{' '.join(arguments[:2])} failed; the reason stands above.")
    return done.stdout
