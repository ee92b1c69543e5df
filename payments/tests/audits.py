"""What tests of the audit share: a shop to be judged, what is found in it, the command run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command
from django.db import connection, transaction

from orders.models import Order
from payments.audit import checks, stripe_side
from payments.audit.money_checks import MONEY_CHECKS
from payments.audit.order_checks import ORDER_CHECKS
from payments.models import Refund
from payments.services import attempts, refunds
from payments.tests import support
from shop.tests.factories import VariantFactory


def shop_at_rest(sandbox: Any) -> dict[str, Order]:
    """Return an order that is paid, one refunded, one refunded in part, one that waits."""
    variant = VariantFactory(on_hand=10)
    names = ("paid", "refunded", "partly", "waiting")
    bought = {
        name: support.checkout(
            support.cart_with(variant), buyer=support.a_buyer(f"{name}@example.com")
        )
        for name in names
    }
    for name in names[:3]:
        sandbox.pay(bought[name].url)
    sandbox.post("clock", advance=10)
    for name in names[:3]:
        attempts.reconcile(attempt=bought[name], at=support.stripe_now())
    _give_back(bought["refunded"].order, kept=0)
    _give_back(bought["partly"].order, kept=300)
    return {name: support.reread(attempt.order) for name, attempt in bought.items()}


def _give_back(order: Order, *, kept: int) -> None:
    capture = order.ledger.get(kind="capture")
    at = support.stripe_now()
    refund = refunds.ask(
        order_id=order.pk,
        charge_id=capture.stripe_id or "",
        amount_minor=capture.amount_minor - kept,
        why=Refund.Why.REQUESTED,
        by=7,
        at=at,
    )
    refunds.send(refund_id=refund.pk, at=at)


def found(*names: str, hours: int = 0) -> dict[str, list[str]]:
    """Return what each check of orders and money names, of those that name anything, sorted."""
    at = support.stripe_now() + timedelta(hours=hours)
    named = {
        check.name: sorted(offender.what for offender in checks.offenders(check, at=at))
        for check in ORDER_CHECKS + MONEY_CHECKS
        if not names or check.name in names
    }
    return {name: offenders for name, offenders in named.items() if offenders}


def drift(minutes: int = 20) -> list[tuple[str, str]]:
    """Return what differs between the ledger and Stripe, and how."""
    at = support.stripe_now() + timedelta(minutes=minutes)
    found = stripe_side.drift(at=at, progress=lambda text: None)
    return [(offender.what, offender.why) for offender in found]


@contextmanager
def undone() -> Iterator[None]:
    """Take back at the end what is planted inside."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def execute(sql: str, *values: int | str | None) -> None:
    with connection.cursor() as cursor:
        # What a test planted before is judged now, or its table could not be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql, values)


def unguarded(table: str, *constraints: str) -> None:
    """Take away the triggers and these constraints of a table, until the test is rolled back."""
    execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for constraint in constraints:
        execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


def behind_the_trigger(sql: str, *values: int | str | None) -> None:
    """Change what the ledger's trigger would not let be changed; it stands again afterwards."""
    unguarded("payments_ledgerentry")
    execute(sql, *values)
    execute("ALTER TABLE payments_ledgerentry ENABLE TRIGGER USER")


def audit(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it wrote."""
    out = StringIO()
    try:
        call_command("audit", *arguments, stdout=out, stderr=StringIO(), no_color=True)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()
