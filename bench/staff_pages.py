"""The part of `make bench-staff` that asks one shop for pages of staff, as it is told by stdin.

At first it tells which pages there are; then for each line [page, number] it answers with seconds
and statements. Each number is about another order and another book, spread over all there are. An
order's page is asked for twice: of one of the newest, as staff mostly do, and of one of any age.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from urllib.parse import urlencode

import django
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

_ORDERS, _PRODUCTS = "/admin/orders/order/", "/admin/shop/product/"


@dataclass(frozen=True)
class Subject:
    """An order and a book of it, and what staff know them by; and one of the newest orders."""

    newest_id: int
    newest_number: str
    order_id: int
    number: str
    email: str
    name: str
    sku: str
    title: str


# Each with what only the right answer shows.
PAGES: dict[str, Callable[[Subject], tuple[str, str]]] = {
    "dashboard": lambda subject: ("/admin/", "</h1>"),
    "orders": lambda subject: (_ORDERS, "/change/"),
    "orders that are paid": lambda subject: (_list(_ORDERS, status__exact="paid"), "/change/"),
    "orders to hand over": lambda subject: (_list(_ORDERS, goods="due"), "/change/"),
    "order by number": lambda subject: (_list(_ORDERS, q=subject.number), subject.number),
    "orders by e-mail": lambda subject: (_list(_ORDERS, q=subject.email), subject.email),
    "orders by name": lambda subject: (_list(_ORDERS, q=subject.name), "/change/"),
    "orders by SKU": lambda subject: (_list(_ORDERS, q=subject.sku), "/change/"),
    "order": lambda subject: (_order(subject.newest_id), subject.newest_number),
    "order of any age": lambda subject: (_order(subject.order_id), subject.number),
    "products": lambda subject: (_PRODUCTS, "/change/"),
    "products by title": lambda subject: (_list(_PRODUCTS, q=subject.title), "/change/"),
    "product by SKU": lambda subject: (_list(_PRODUCTS, q=subject.sku), "/change/"),
}


def main(rounds: int) -> None:
    django.setup()
    users = import_module("django.contrib.auth").get_user_model().objects
    boss = users.filter(is_superuser=True).first() or users.create_superuser("boss@example.com")
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(boss)
    subjects = list(_subjects(rounds + 1))
    print(json.dumps(list(PAGES)), flush=True)
    for line in sys.stdin:
        page, number = json.loads(line)
        address, shows = PAGES[page](subjects[number])
        if number == 0:
            # The first time everything is loaded and compiled; the second is counted.
            _ask(client, address, shows)
            with CaptureQueriesContext(connection) as queries:
                seconds = _ask(client, address, shows)
            print(json.dumps([seconds, len(queries)]), flush=True)
        else:
            print(json.dumps([_ask(client, address, shows), 0]), flush=True)


def _subjects(count: int) -> Iterator[Subject]:
    """Return so many orders from the first to the last, each with a book of it."""
    orders = import_module("orders.models")
    newest = list(orders.Order.objects.all()[:count])
    lines = orders.OrderLine.objects.select_related("order")
    first, last = (lines.order_by(way)[0].order_id for way in ("order_id", "-order_id"))
    for number in range(count):
        nearest = first + (last - first) * number // count
        line = lines.filter(order__gte=nearest).order_by("order_id", "pk")[0]
        yield Subject(
            newest_id=newest[number % len(newest)].pk,
            newest_number=newest[number % len(newest)].number,
            order_id=line.order_id,
            number=line.order.number,
            email=line.order.email,
            name=line.order.shipping_address["name"],
            sku=line.sku,
            title=line.title.rpartition(", ")[0].partition(", Volume")[0],
        )


def _order(order_id: int) -> str:
    return f"{_ORDERS}{order_id}/change/"


def _list(address: str, **query: str) -> str:
    return f"{address}?{urlencode(query)}"


def _ask(client: Client, address: str, shows: str) -> float:
    started = time.perf_counter()
    answer = client.get(address)
    seconds = time.perf_counter() - started
    if answer.status_code != 200 or shows not in answer.content.decode():
        sys.exit(f"{address}: {answer.status_code}, without {shows!r}")
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]))
