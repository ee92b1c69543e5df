"""What pages are shown of: a demo with awkward data, purchases in it, and Stripe's part failing."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import requests
from playwright.sync_api import BrowserContext, Page

from e2e import steps
from e2e.demo import Demo

SESSIONS = "/v1/checkout/sessions"
# By its signed link, past the page that confirms the payment.
ORDER = re.compile(r"/orders/[^/]+/[^/]+/$")


@dataclass(frozen=True)
class Purchase:
    """The addresses of an order, by its signed link, and of Stripe's page for it."""

    order_url: str
    stripe_url: str


@dataclass
class World:
    """A demo with awkward data, and purchases that several pages show: made at first use."""

    demo: Demo
    open_context: Callable[[], BrowserContext]

    @cached_property
    def to_pay(self) -> Purchase:
        """A purchase that waits for its payment."""
        page = self.open_context().new_page()
        steps.begin_to_pay(page)
        stripe_url = page.url
        page.get_by_role("link", name="Back to the shop").click()
        page.get_by_role("link", name="pay for it now").click()
        page.wait_for_url("**/orders/**")
        return Purchase(page.url, stripe_url)

    @cached_property
    def paid(self) -> Purchase:
        return self._pay(steps.pay_by_card)

    @cached_property
    def on_its_way(self) -> Purchase:
        """A purchase whose money takes days."""
        return self._pay(steps.pay_by_bank_debit)

    @cached_property
    def states(self) -> dict[str, str]:
        """Paths of orders in states that take long to reach, by name."""
        said = self.demo.run("from e2e import order_states; order_states.make()")
        return dict(line.split("\t") for line in said.splitlines())

    @cached_property
    def sign_ins(self) -> dict[str, str]:
        """Keys of sessions, by what they are like."""
        said = self.demo.run("from e2e import second_steps; second_steps.make()")
        return dict(line.split("\t") for line in said.splitlines())

    def _pay(self, pay: Callable[[Page], None]) -> Purchase:
        page = self.open_context().new_page()
        steps.begin_to_pay(page)
        stripe_url = page.url
        pay(page)
        page.wait_for_url(ORDER)
        return Purchase(page.url, stripe_url)

    def fault(self, kind: str) -> None:
        """Have Stripe's part fail until `mend`."""
        fault = {"kind": kind, "path": SESSIONS, "times": None}
        address = f"{self.demo.sandbox_url}/_sandbox/faults"
        requests.post(address, json=fault, timeout=10).raise_for_status()

    def mend(self) -> None:
        address = f"{self.demo.sandbox_url}/_sandbox/faults"
        requests.delete(address, timeout=10).raise_for_status()
