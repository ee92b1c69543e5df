"""Shoppers: each a thread that buys over HTTP as a browser does, and errs as people do."""

import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from chaos.town import Town

_NUMBER = 6
_SECONDS = 20
_HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|fingerprint)"[^>]*value="([^"]*)"')
_VARIANT = re.compile(r'name="variant"[^>]*value="(\d+)"')
_PRODUCT = re.compile(r'href="(/product/[^"]+)"')
_BACK = re.compile(r'href="[^"]*(/orders/[^"/]+/[^"/]+/)left/"')
CARDS = (
    *["4242424242424242"] * 8,
    "4000000000000002",
    "4000000000009995",
    "4000000000000069",
)
ADDRESS = {
    "name": "A. Reader",
    "line1": "Long Street 1",
    "line2": "",
    "postal_code": "10115",
    "city": "Berlin",
    "region": "",
    "country": "DE",
}


class Shoppers:
    """The crowd."""

    def __init__(self, town: Town, seed: int) -> None:
        self._town, self._seed = town, seed
        self._done = threading.Event()
        self._failure: Exception | None = None
        self._counts: Counter[str] = Counter()
        self._shocks: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._live, args=(number,)) for number in range(_NUMBER)
        ]

    @contextmanager
    def at_large(self) -> Iterator[None]:
        """Let them in; at the end they go home, and what went wrong with one of them is raised."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in self._threads:
                thread.join()
        if self._failure:
            raise self._failure

    @property
    def shocks(self) -> dict[str, int]:
        """What no weather excuses: pages that broke, by path and status, with their number."""
        return dict(self._shocks)

    @property
    def orders(self) -> int:
        return self._counts["orders placed"]

    def told(self) -> str:
        with self._lock:
            counts = dict(self._counts)
        return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def _hear(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        # 503 is how the shop says that Stripe or the database is away.
        status = answer.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.SERVICE_UNAVAILABLE:
            with self._lock:
                self._shocks[f"{_page_of(answer)} answered {status}"] += 1

    def _live(self, number: int) -> None:
        dice = random.Random(f"{self._seed}-shopper-{number}")
        visit = 0
        while not self._done.is_set():
            visit += 1
            try:
                _Visit(self._town, dice, f"{number}-{visit}", self._count, self._hear).buy()
            except requests.RequestException:
                # A server that was killed just now; a person would wait, and come again.
                self._count("broken off")
                self._done.wait(1)
            except _NoPage:
                self._count("turned away")
            except Exception as error:
                self._failure = error
                return


def _page_of(answer: requests.Response) -> str:
    """Return the path without what names one product or order."""
    return "/".join(part for part in urlsplit(answer.url).path.split("/") if part.islower())


class _NoPage(Exception):
    """The page did not show what a shopper needs to go on."""


class _Visit:
    """One shopper's way through the shop."""

    def __init__(self, town: Town, dice: random.Random, name: str, count: Any, hear: Any) -> None:
        self._town, self._dice, self._count = town, dice, count
        self._email = f"buyer-{name}@example.com"
        self._session = requests.Session()
        self._session.hooks["response"].append(hear)
        self._session.headers["X-Forwarded-For"] = ".".join(
            str(dice.randrange(1, 250)) for _ in range(4)
        )

    def buy(self) -> None:
        """Fill a cart, order it and do with the payment page whatever comes to mind."""
        for _ in range(self._dice.choice((1, 1, 2))):
            self._add()
        where = self._order()
        if where is None:
            return
        self._count("orders placed")
        if self._dice.random() < 0.1:
            # A second tab, or a double click.
            where = self._order() or where
        (whim,) = self._dice.choices(
            (self._pay, self._try_twice, self._cancel, self._pay_in_two_tabs, self._leave),
            (60, 12, 9, 7, 12),
        )
        whim(where)

    def _shop(self) -> str:
        return self._dice.choice(self._town.shops)

    def _get(self, path: str) -> requests.Response:
        return self._session.get(self._shop() + path, timeout=_SECONDS)

    def _post(self, path: str, form: dict[str, Any]) -> requests.Response:
        return self._session.post(
            self._shop() + path, data=form, timeout=_SECONDS, allow_redirects=False
        )

    def _add(self) -> None:
        home = self._get("/").text
        products = _PRODUCT.findall(home)
        if not products:
            raise _NoPage
        page = self._get(self._dice.choice(products)).text
        variants = _VARIANT.findall(page)
        if not variants:
            raise _NoPage
        form = {"variant": self._dice.choice(variants), "quantity": self._dice.choice((1, 1, 1, 2))}
        self._post("/cart/add/", form)

    def _order(self) -> str | None:
        """Place the cart; return where Stripe's page is, or None when nothing was placed."""
        page = self._get("/checkout/").text
        hidden = dict(_HIDDEN.findall(page))
        if "fingerprint" not in hidden:
            raise _NoPage
        answer = self._post("/checkout/", {**hidden, **ADDRESS, "email": self._email})
        self._count(f"checkout answers {answer.status_code}")
        return answer.headers.get("Location") if answer.status_code == 303 else None

    def _pay(self, page: str) -> None:
        """Pay on Stripe's page, by card or bank debit; some come back to the shop afterwards."""
        if "/c/pay/" not in page:
            return
        form = {
            "email": self._email,
            "name": "A. Reader",
            "method": "card" if self._dice.random() < 0.85 else "bank_debit",
            "card": self._dice.choice(CARDS),
            "expiry": "12/34",
            "cvc": "123",
        }
        answer = requests.post(page, data=form, timeout=_SECONDS, allow_redirects=False)
        self._count(f"payments answered {answer.status_code}")
        if answer.status_code == 303 and self._dice.random() < 0.3:
            self._session.get(answer.headers["Location"], timeout=_SECONDS)

    def _leave(self, page: str) -> None:
        """Lose interest, or the way."""

    def _try_twice(self, page: str) -> None:
        self._pay(page)
        again = self._press("pay", page)
        if again:
            self._pay(again)

    def _cancel(self, page: str) -> None:
        if self._dice.random() < 0.4:
            payer = threading.Thread(target=self._pay_quietly, args=(page,))
            payer.start()
            self._press("cancel", page)
            payer.join()
        else:
            self._press("cancel", page)

    def _pay_quietly(self, page: str) -> None:
        try:
            self._pay(page)
        except requests.RequestException:
            self._count("broken off")

    def _pay_in_two_tabs(self, page: str) -> None:
        other = threading.Thread(target=self._pay_quietly, args=(page,))
        other.start()
        self._pay(page)
        other.join()

    def _press(self, button: str, page: str) -> str | None:
        """Go back from Stripe's page to the order's, press a button; return where it leads."""
        way_back = _BACK.search(requests.get(page, timeout=_SECONDS).text)
        if way_back is None:
            return None
        left = self._get(way_back[1])
        hidden = dict(_HIDDEN.findall(left.text))
        answer = self._post(f"{way_back[1]}{button}/", hidden)
        self._count(f"{button} answers {answer.status_code}")
        return answer.headers.get("Location")
