"""`make bench-api`: fifty clients at once on pages and on the API that shows the same.

All at once ask for the page; when they have it, all at once for its JSON; the next round the other
way around. To place an order is to ask for the figures, and to agree to them: the checkout's page
and its form, the cart and the call. Clients buy different books, as people do. Ends with 1 for a
wrong answer, a wrong total, or a p95 above the page's.
"""

import json
import os
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import unescape
from statistics import quantiles
from uuid import uuid4

import requests

from e2e.demo import Demo
from fuzz.runs import ADDRESS
from shop.tests.waiting import wait_until

CLIENTS = int(os.environ.get("BENCH_CLIENTS") or 50)
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 12)
_SECONDS = 60
Deed = Callable[[], object]
_UNITS = 2
_STOCK = """
import json
from django.utils import timezone
from shop import services
from shop.models import Variant
variants = Variant.objects.on_sale().order_by("product_id", "pk").distinct("product_id")
for variant in variants.select_related("product"):
    services.receive(variant_id=variant.pk, quantity=90000, reference="bench", at=timezone.now())
    print(json.dumps([variant.pk, variant.sku, variant.product.slug, variant.price_minor]))
"""
_JOBS = """
from procrastinate.contrib.django.models import ProcrastinateJob
print(ProcrastinateJob.objects.filter(status__in=["todo", "doing"], scheduled_at=None).count())
"""
_ORDERS = """
import json
from orders.models import Order
print(json.dumps(list(Order.objects.values_list("total_minor", flat=True))))
"""


@dataclass
class Measured:
    """Seconds per kind of request, and what went wrong."""

    pages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    api: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Goods:
    """What a client buys; `price_minor` is for one unit."""

    pk: int
    sku: str
    slug: str
    price_minor: int

    @property
    def total_minor(self) -> int:
        """With shipping, which the demo takes below 50.00."""
        subtotal = _UNITS * self.price_minor
        return subtotal + (490 if subtotal < 5_000 else 0)

    @property
    def total(self) -> str:
        return f"€{self.total_minor / 100:.2f}"


class Client:
    """One client: a browser with a cart, and an app with another."""

    def __init__(self, number: int, shop: str, goods: Goods, measured: Measured) -> None:
        self.shop, self.goods, self.measured = shop, goods, measured
        # Placings from one address take turns.
        self.address = {"X-Forwarded-For": f"192.0.2.{number}"}
        self.app = self._session()
        self._anew()

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(self.address)
        return session

    def _anew(self) -> None:
        """Take a new browser and a new token, each with a cart."""
        self.browser = self._session()
        form = {"variant": str(self.goods.pk), "quantity": str(_UNITS)}
        self.browser.post(f"{self.shop}/cart/add/", form, timeout=_SECONDS)
        body = {"sku": self.goods.sku, "quantity": _UNITS}
        added = self.app.post(f"{self.shop}/api/cart/lines/", json=body, timeout=_SECONDS)
        self.headers = {"Cart-Token": added.json()["token"]}

    def deeds(self) -> dict[str, tuple[Deed, Deed]]:
        """Return what is measured: by the page, and by the API."""
        slug = self.goods.slug
        return {
            "list": (
                lambda: self._see("/category/science-nature/"),
                lambda: self._ask("/api/products/?category=science-nature"),
            ),
            "detail": (
                lambda: self._see(f"/product/{slug}/", slug),
                lambda: self._ask(f"/api/products/{slug}/", slug),
            ),
            "cart": (
                lambda: self._see("/cart/", self.goods.total),
                lambda: self._ask("/api/cart/", self.goods.total),
            ),
            "place": (self._place_by_page, self._place_by_api),
        }

    def work(self, gate: threading.Barrier) -> None:
        """Do it all at once with the others; every other round asks the API first."""
        for number in range(ROUNDS):
            for kind, (by_page, by_api) in self.deeds().items():
                both = [(self.measured.pages, by_page), (self.measured.api, by_api)]
                for into, deed in reversed(both) if number % 2 else both:
                    gate.wait()
                    started = time.perf_counter()
                    deed()
                    into[kind].append(time.perf_counter() - started)
            self._anew()

    def _see(self, path: str, shows: str = "") -> requests.Response:
        return self._get(self.browser, path, shows)

    def _ask(self, path: str, shows: str = "") -> requests.Response:
        return self._get(self.app, path, shows, **self.headers)

    def _get(
        self, session: requests.Session, path: str, shows: str, **headers: str
    ) -> requests.Response:
        answer = session.get(self.shop + path, headers=headers, timeout=_SECONDS)
        if answer.status_code != 200 or shows not in answer.text:
            self.measured.wrong.append(f"{path}: {answer.status_code}")
        return answer

    def _place_by_page(self) -> None:
        """Order by the form, which opens Stripe's page."""
        page = unescape(self._see("/checkout/", self.goods.total).text)
        hidden = dict(re.findall(r'name="(fingerprint|csrfmiddlewaretoken)" value="([^"]+)"', page))
        form = {"email": f"{uuid4()}@example.com", **ADDRESS, **hidden}
        placed = self.browser.post(
            f"{self.shop}/checkout/", form, allow_redirects=False, timeout=_SECONDS
        )
        if placed.status_code != 303 or "/c/pay/" not in placed.headers["Location"]:
            self.measured.wrong.append(f"checkout page: {placed.status_code}")

    def _place_by_api(self) -> None:
        """Order by the call, which opens Stripe's page as well."""
        body = {
            "email": f"{uuid4()}@example.com",
            "shipping_address": ADDRESS,
            "fingerprint": self._ask("/api/cart/", self.goods.total).json()["fingerprint"],
        }
        headers = self.headers | {"Idempotency-Key": str(uuid4())}
        made = self.app.post(
            f"{self.shop}/api/checkout/", json=body, headers=headers, timeout=_SECONDS
        )
        if made.status_code != 201:
            self.measured.wrong.append(f"checkout: {made.status_code} {made.text[:200]}")
        elif made.json()["order"]["total"]["amount"] != self.goods.total_minor:
            self.measured.wrong.append(f"total: {made.json()['order']['total']}")


def main() -> int:
    """Measure, print the table, and return the exit code."""
    measured = Measured()
    behind_proxy = {"TRUSTED_PROXY_COUNT": "1"}
    with Demo.running(DJANGO_SETTINGS_MODULE="fuzz.settings", **behind_proxy) as demo:
        books = [Goods(*json.loads(line)) for line in demo.run(_STOCK).splitlines()]
        clients = [
            Client(number, demo.shop_url, books[number % len(books)], measured)
            for number in range(1, CLIENTS + 1)
        ]
        # A new demo's pictures are scaled by jobs, which would be measured as well.
        wait_until(lambda: int(demo.run(_JOBS)) == 0, seconds=300)
        gate = threading.Barrier(CLIENTS, timeout=2 * _SECONDS)
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda client: client.work(gate), clients))
        totals = Counter(json.loads(demo.run(_ORDERS)))
    # By the page and by the API.
    expected = Counter([client.goods.total_minor for client in clients] * 2 * ROUNDS)
    if totals != expected:
        measured.wrong.append(f"totals of orders: {totals}, not {expected}")
    print(f"{totals.total()} orders, {len(books)} books")
    return _report(measured)


def _report(measured: Measured) -> int:
    print(f"{CLIENTS} clients at once, {ROUNDS} rounds each")
    print("| | requests | page p50 ms | API p50 ms | page p95 ms | API p95 ms | API / page |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    is_slower = False
    for kind, pages in measured.pages.items():
        api = measured.api[kind]
        (page_p50, page_p95), (api_p50, api_p95) = _percentiles(pages), _percentiles(api)
        is_slower |= api_p95 > page_p95
        print(
            f"| {kind} | {len(api)} | {page_p50:.0f} | {api_p50:.0f} | {page_p95:.0f} "
            f"| {api_p95:.0f} | {api_p95 / page_p95:.2f} |"
        )
    print(f"{len(measured.wrong)} wrong answers", *measured.wrong[:10], sep="\n")
    return int(is_slower or bool(measured.wrong))


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p95 in milliseconds."""
    cut = quantiles(seconds, n=100)
    return cut[49] * 1000, cut[94] * 1000


if __name__ == "__main__":
    sys.exit(main())
