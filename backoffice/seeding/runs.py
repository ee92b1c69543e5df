"""Inventing orders batch by batch, each whole or not at all.

It writes rows, past the services that write them one by one: a million orders would take these a
day, and would mail a million people. What must hold of them all the same, `manage.py audit` says.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from backoffice import figures
from backoffice.models import DayFigures
from backoffice.seeding import plan, rows
from shop import money

_BATCH = 10_000
_MARK = "seed-"
# Of what was left in carts longer ago no figure speaks.
LATELY = timedelta(days=180)

Tell = Callable[[str], None]


class NotHere(Exception):
    """Orders may not be invented in this shop; the message says why."""


def require_sandbox() -> None:
    """Raise NotHere unless the shop talks to the sandbox: books of real money stay true."""
    if settings.STRIPE_LIVE_MODE:
        raise NotHere("Orders are not invented in a shop that takes real money.")
    if not hasattr(settings, "STRIPE_API_HOST"):
        raise NotHere(
            "Orders are invented only where the Stripe sandbox is (STRIPE_API_HOST): Stripe itself "
            "would know nothing of their payments."
        )


def invent_orders(*, wanted: int, at: datetime, tell: Tell) -> None:
    """Add invented orders of the past two years until there are `wanted`.

    Safe to repeat, and to break off anywhere: whole batches stay, and the next run goes on. Nothing
    is queued, mailed or asked of Stripe. Raises NotHere, and then nothing was written.
    """
    require_sandbox()
    with connection.cursor() as cursor:
        values = _values(wanted, at)
        cursor.execute(plan.FUNCTIONS)
        goods = _goods(cursor, values)
        there = known = _last(cursor)
        started = time.monotonic()
        while known < wanted:
            last = min(known + _BATCH, wanted)
            _add(cursor, values | {"goods": goods, "first": known + 1, "last": last})
            known = last
            tell(_progress(known, wanted, known - there, time.monotonic() - started))
        if known > there:
            tell("Counting anew what the tables hold ...")
            cursor.execute(f"ANALYZE {', '.join(rows.TABLES)}")
            figures.refresh(at=at)
            figures.refresh_top_products(at=at)
    tell(f"{known - there:,} orders added, {there:,} were there already.")


def _values(wanted: int, at: datetime) -> dict[str, Any]:
    ours = money.currency(settings.SHOP_CURRENCY)
    return {
        "wanted": wanted,
        "at": at,
        "mark": _MARK,
        "currency": ours.code,
        # As Stripe counts one minor unit of ours.
        "scale": money.to_stripe(1, ours.code),
        # About 0.25 and 15.00 euros, by what Stripe takes at least: half a euro.
        "flat_fee": ours.minimum_minor // 2,
        "dispute_fee": ours.minimum_minor * 30,
        "shipping": settings.SHIPPING_FLAT_MINOR,
        "free_from": settings.SHIPPING_FREE_FROM_MINOR,
        "countries": settings.SHOP_COUNTRIES,
        "carriers": list(settings.CARRIERS),
        "pages": list(settings.CARRIERS.values()),
        "tag": settings.STRIPE_APP_TAG,
        "lately": LATELY,
        "hold": settings.HOLD,
        "pay_within": settings.PAY_WITHIN,
        "staff_pay_within": settings.STAFF_PAY_WITHIN,
        "session_lasts": settings.SESSION_LASTS,
    }


def _goods(cursor: CursorWrapper, values: dict[str, Any]) -> int:
    """Put what is on sale in a table of its own, the most wanted first; return how many."""
    cursor.execute(plan.GOODS, values)
    cursor.execute("SELECT count(*) FROM seed_goods")
    (goods,) = cursor.fetchone()
    if not goods:
        raise NotHere("Nothing is on sale, so nothing can have been ordered.")
    return int(goods)


def _last(cursor: CursorWrapper) -> int:
    """Return the number of the last invented order, 0 where there is none."""
    cursor.execute(
        "SELECT coalesce(max(substr(fingerprint, length(%(mark)s) + 1)::bigint), 0)"
        " FROM orders_order WHERE starts_with(fingerprint, %(mark)s)",
        {"mark": _MARK},
    )
    (last,) = cursor.fetchone()
    return int(last)


@transaction.atomic
def _add(cursor: CursorWrapper, values: dict[str, Any]) -> None:
    # What is lost when the server breaks down is a batch, which the next run makes again.
    cursor.execute("SET LOCAL synchronous_commit = off; SET LOCAL work_mem = '64MB'")
    for statement in (*plan.STATEMENTS, *rows.STATEMENTS):
        cursor.execute(statement, values)
    # Days that are over have become others.
    DayFigures.objects.all().delete()


def _progress(known: int, wanted: int, added: int, seconds: float) -> str:
    left = timedelta(seconds=round(seconds / added * (wanted - known)))
    return f"Seeding orders: {known:,} of {wanted:,} ({known * 100 // wanted}%), {left} left"
