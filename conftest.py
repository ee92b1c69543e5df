"""What every test stands on: an environment, a throw-away PostgreSQL, the Stripe sandbox.

Settings are read when Django is set up below, before pytest imports any test; so all of this is
decided at import. With xdist the first process starts the server; its workers inherit the address.
"""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import django
import hypothesis
import pytest
import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client, TransactionTestCase
from pytest_django import DjangoDbBlocker

from config import embedded_postgres

if TYPE_CHECKING:
    from accounts.models import User

PROJECT = Path(__file__).parent
STRIPE_SECRET_KEY = "sk_test_" + "a1b2c3d4" * 3
STRIPE_WEBHOOK_SECRET = "whsec_" + "a1b2c3d4" * 4
CARD_EXPIRY = "12/34"
REQUEST_SECONDS = 10

# How long an example takes says more about the machine than about the shop.
hypothesis.settings.register_profile(
    "shop", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shop")

_session = ExitStack()
atexit.register(_session.close)
# This process's own files, those that tests leave behind among them; an xdist worker's lie below.
# As root PostgreSQL runs as another user, who has to enter.
_scratch = Path(tempfile.mkdtemp(prefix="shop-tests-"))
_scratch.chmod(0o711)
_session.callback(shutil.rmtree, _scratch, ignore_errors=True)
os.environ["TMPDIR"] = tempfile.tempdir = str(_scratch)


def _start_postgres() -> str:
    return _session.enter_context(embedded_postgres.server(_scratch, fsync=False))


def _reserve_port() -> socket.socket:
    """Keep a free port from everybody but the sandbox.

    dj-stripe reads the sandbox's address once, before it runs. SO_REUSEADDR set after binding lets
    one other socket that has it listen on the port, while the kernel gives it to nobody.
    """
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return reserved


_sandbox_port = _session.enter_context(_reserve_port())
_sandbox_url = f"http://127.0.0.1:{_sandbox_port.getsockname()[1]}"

os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "TESTING": "1",
    "DEBUG": "0",
    "DATABASE_URL": os.environ.get("DATABASE_URL") or _start_postgres(),
    "SECRET_KEY": "tests-" + "0123456789-abcdefghij" * 3,
    "SITE_URL": "http://testserver",
    "STRIPE_SECRET_KEY": STRIPE_SECRET_KEY,
    "STRIPE_PUBLISHABLE_KEY": STRIPE_SECRET_KEY.replace("sk_", "pk_"),
    "STRIPE_WEBHOOK_SECRET": STRIPE_WEBHOOK_SECRET,
    "STRIPE_API_HOST": _sandbox_url,
    # A bank debit brings its money days later: what takes it must cope with it everywhere.
    "PAYMENT_METHODS": "card,sepa_debit",
    "CLOCK_OFFSET_FILE": str(_scratch / "clock-offset"),
    "MEDIA_ROOT": str(_scratch / "media"),
    "EMAIL_URL": "memorymail://",
    "STAFF_EMAIL": "staff@example.com",
}
django.setup()
# Hashing that is slow on purpose would take most of the time of tests that sign in.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Where it is set, pytest-django reads the settings before this file: in a worker of xdist, which
# inherits the environment, that would be before the worker's own addresses are known.
del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave property tests out of coverage: it doubles their time, and they run others' lines."""
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Put one generated migration in the place of dj-stripe's own, which take 25 seconds.

    CI runs the real ones in a step of its own. The generated one is named as the last real one,
    because ours may depend on it.
    """
    import_path = _scratch / "generated"
    package = import_path / "djstripe_in_one_step"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    sys.path.insert(0, str(import_path))
    settings.MIGRATION_MODULES = {"djstripe": package.name}
    with django_db_blocker.unblock():
        call_command("makemigrations", "djstripe", verbosity=0)
        # It looked into the real database, where the pool would keep every test.
        connection = connections["default"]
        assert isinstance(connection, DatabaseWrapper)
        connection.close()
        connection.close_pool()
    (generated,) = package.glob("0001_*.py")
    real = Path(django.apps.apps.get_app_config("djstripe").path) / "migrations"
    generated.rename(package / max(path.name for path in real.glob("0*.py")))


# Rights and roles: `migrate` made them, and no test that commits changes them.
_KEPT = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
}


def _empty_tables(test: TransactionTestCase) -> None:
    """Empty the tables in which a test that commits has left rows.

    Django empties all hundred and makes rights and roles anew, which takes longer than most tests.
    """
    connection = connections["default"]
    # That of the cache is no model's.
    tables = {*connection.introspection.django_table_names(only_existing=True), "cache"} - _KEPT
    questions = [
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")"  # noqa: S608 - our tables' names
        for name in tables
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(questions))
        filled = [name for (name,) in cursor]
        # Neither foreign keys nor the triggers of what is append-only are asked.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for name in filled:
            cursor.execute(f'DELETE FROM "{name}"')  # noqa: S608


TransactionTestCase._fixture_teardown = _empty_tables  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Sandbox:
    """The Stripe sandbox, seen from outside: its control API and its hosted page."""

    url: str

    def get(self, path: str) -> Any:
        """Return the JSON answer of the control API at `path`, like `faults`."""
        return self._call("GET", f"/_sandbox/{path}")

    def post(self, path: str, /, **fields: object) -> Any:
        """Send `fields` as JSON to the control API at `path`; returns the JSON answer."""
        return self._call("POST", f"/_sandbox/{path}", json=fields)

    def fault(self, **fields: object) -> None:
        """Switch a fault on, like kind="drop_answer", path="/v1/checkout/sessions"."""
        self.post("faults", **fields)

    def clear_faults(self) -> None:
        """Switch every fault off."""
        self._call("DELETE", "/_sandbox/faults")

    def events(self) -> list[dict[str, Any]]:
        """Return the latest 100 events as Stripe's API lists them, newest first."""
        listed = self._call(
            "GET",
            "/v1/events?limit=100",
            headers={"Authorization": f"Bearer {STRIPE_SECRET_KEY}"},
        )
        events: list[dict[str, Any]] = listed["data"]
        return events

    def pay(
        self,
        session_url: str,
        *,
        card: str = "4242424242424242",
        email: str = "reader@example.com",
        method: str = "card",
    ) -> requests.Response:
        """Send the form of the hosted page; the answer is a redirect (303) or a decline (402)."""
        form = {
            "email": email,
            "method": method,
            "card": card,
            "expiry": CARD_EXPIRY,
            "cvc": "123",
            "name": "A. Reader",
        }
        return requests.post(session_url, data=form, allow_redirects=False, timeout=REQUEST_SECONDS)

    def refund_in_dashboard(
        self, payment_intent: str, *, amount: int | None = None
    ) -> dict[str, Any]:
        """Give back what is left, or `amount` minor units, as staff at Stripe; returns the refund.

        What Stripe refuses raises requests.HTTPError.
        """
        asked: dict[str, object] = {"payment_intent": payment_intent}
        if amount is not None:
            asked["amount"] = amount
        refund: dict[str, Any] = self.post("refunds", **asked)
        return refund

    def decide_refund(
        self, refund_id: str, outcome: str, *, reason: str = "unknown"
    ) -> dict[str, Any]:
        """Let a refund be "succeeded", "failed" (for `reason`), "canceled" or "requires_action"."""
        refund: dict[str, Any] = self.post(f"refunds/{refund_id}", outcome=outcome, reason=reason)
        return refund

    def dispute(
        self,
        payment_intent: str,
        *,
        amount: int | None = None,
        reason: str = "fraudulent",
        inquiry: bool = False,
        withdraw: bool | None = None,
    ) -> dict[str, Any]:
        """Let the bank take a payment back, or `amount` minor units of it; returns the dispute.

        An inquiry takes nothing, nor does a dispute with `withdraw` False, until it is moved.
        """
        asked: dict[str, object] = {
            "payment_intent": payment_intent,
            "reason": reason,
            "inquiry": inquiry,
            "withdraw": not inquiry if withdraw is None else withdraw,
        }
        if amount is not None:
            asked["amount"] = amount
        dispute: dict[str, Any] = self.post("disputes", **asked)
        return dispute

    def move_dispute(self, dispute_id: str, action: str) -> dict[str, Any]:
        """Let bank or merchant do "submit", "win", "lose", "withdraw" or "reinstate".

        An inquiry knows "submit", "escalate" and "close".
        """
        dispute: dict[str, Any] = self.post(f"disputes/{dispute_id}", action=action)
        return dispute

    def charge_again(self, payment_intent: str) -> dict[str, Any]:
        """Charge a paid intent a second time; returns the intent, its `latest_charge` moved on."""
        intent: dict[str, Any] = self.post("second_charges", payment_intent=payment_intent)
        return intent

    def strange_event(self, kind: str, **fields: object) -> dict[str, Any]:
        """Make a "forged" or "replay" event, or a "foreign" or "unknown" payment.

        Returns {"event": ..., "tries": [...]} of the first two and {"session": ...} of the others.
        """
        made: dict[str, Any] = self.post("events", kind=kind, **fields)
        return made

    def books(self) -> dict[str, Any]:
        """Return what Stripe knows of the money: its payments, totals and days."""
        books: dict[str, Any] = self.get("books")
        return books

    def _call(self, method: str, path: str, **options: Any) -> Any:
        answer = requests.request(method, self.url + path, timeout=REQUEST_SECONDS, **options)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "stripe_sandbox"]
    command += ["--port", str(urlsplit(_sandbox_url).port)]
    command += ["--state", str(_scratch / "stripe_sandbox.sqlite3")]
    # Tests deliver events themselves, so that their order is the test's own.
    environment = dict(os.environ) | {"STRIPE_WEBHOOK_URL": ""}
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"Stripe sandbox on {_sandbox_url}\n"
            yield Sandbox(_sandbox_url)
        finally:
            process.terminate()


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Iterator[Sandbox]:
    """Stripe, freshly opened: no objects, no faults, the clock on time."""
    sandbox_process.post("reset")
    yield sandbox_process
    Path(settings.CLOCK_OFFSET_FILE).unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    """Let no test meet the tries that others counted."""
    cache.clear()


@pytest.fixture
def boss(db: None) -> "User":
    """One of the staff who may do all."""
    return get_user_model().objects.create_superuser("boss@example.com")


@pytest.fixture
def staff(client: Client, boss: "User") -> Client:
    """The admin, as the boss sees it."""
    client.force_login(boss)
    return client


@pytest.fixture
def empty_queue(transactional_db: None) -> Iterator[None]:
    """The queue's tables are not Django's, which empties only its own between tests."""
    _empty_queue()
    yield
    _empty_queue()


def _empty_queue() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


@pytest.fixture
def process_environment(empty_queue: None) -> Mapping[str, str]:
    """The environment in which a process of the shop works on this test's database."""
    name = settings.DATABASES["default"]["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])
    return dict(os.environ) | {"DATABASE_URL": url._replace(path=f"/{name}").geturl()}
