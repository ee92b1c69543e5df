"""What shoppers do: fill carts, order, pay at Stripe, come back, give up."""

from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

import requests
from django.conf import settings
from hypothesis import strategies as st

from cart import services as carts
from cart.models import Cart
from cart.quotes import quote
from orders.models import Order, Reason
from payments.models import PaymentAttempt
from payments.services import attempts, canceling, placing
from payments.tests import support
from payments.tests.machine.world import ANY, HOW, NothingThere, World, pick, step
from shop.clock import now

# How a card, or a bank debit, is named on Stripe's page, and by a client of one's own.
PAGE: dict[str, dict[str, str]] = {
    "good": {},
    "declined": {"card": "4000000000000002"},
    "asks": {"card": "4000000000003220"},
    "debit": {"method": "bank_debit"},
}
TOKEN = {
    "good": "pm_card_visa",
    "declined": "pm_card_visa_chargeDeclined",
    "asks": "pm_card_threeDSecure2Required",
    "debit": "pm_success_de",
}


class Shopping(World):
    @step(which=ANY, variant=ANY, quantity=st.integers(0, 3))
    def change_cart(self, which: int, variant: int, quantity: int) -> None:
        cart, chosen = pick(self.carts, which), pick(self.variants, variant)
        if quantity == 0:
            carts.remove(cart=cart, variant=chosen)
        elif not carts.set_quantity(cart=cart, variant=chosen, quantity=quantity):
            carts.add(cart=cart, variant=chosen, quantity=quantity, at=now())

    @step("guests")
    def sign_in(self) -> None:
        carts.merge(guest=self.carts[0], user_cart=self.carts[1], at=now())

    @step("filled", which=ANY)
    def place(self, which: int) -> None:
        self._place(which)

    @step(which=ANY, variant=ANY, how=HOW)
    def buy(self, which: int, variant: int, how: str) -> None:
        """Put one more into the cart, order, and pay at once on Stripe's page."""
        chosen = pick(self.variants, variant)
        carts.add(cart=pick(self.carts, which), variant=chosen, quantity=1, at=now())
        started = self._place(which)
        if started.attempt:
            self._pay_on_page(started.attempt.session_id or "", how)

    @step("pending", which=ANY, kind=st.sampled_from(["checkout", "intent"]))
    def pay_now(self, which: int, kind: str) -> None:
        order = pick(Order.objects.pending().order_by("pk"), which)
        attempts.open_attempt(order_id=order.pk, at=now(), kind=PaymentAttempt.Kind(kind))

    @step("payable", which=ANY, how=HOW)
    def pay(self, which: int, how: str) -> None:
        """Pay whatever can be paid at Stripe, wanted by the shop still or not."""
        payment = pick([p for p in self.payments() if _is_payable(p)], which)
        if payment["session"]:
            self._pay_on_page(payment["session"], how)
        else:
            self._confirm(payment["intent"], how)

    @step("questions", which=ANY, answer=st.sampled_from(["complete", "fail"]))
    def answer_bank(self, which: int, answer: str) -> None:
        question = pick(self.questions, which)
        led_to = requests.post(question, {"answer": answer}, allow_redirects=False, timeout=10)
        if not led_to.ok:
            raise NothingThere

    @step("orders", which=ANY)
    def come_back(self, which: int) -> None:
        attempt = pick(PaymentAttempt.objects.order_by("pk"), which)
        attempts.queue_reconciliation(attempt=attempt, at=now())

    @step("cancelable", which=ANY)
    def cancel(self, which: int) -> None:
        order = pick(Order.objects.pending().order_by("pk"), which)
        canceling.cancel(order_id=order.pk, reason=Reason.BUYER, at=now())

    def _place(self, which: int) -> Any:
        cart = Cart.objects.get(pk=pick(self.carts, which).pk)
        user = self.user if cart.merged_into_id or cart.user_id else None
        return placing.start_checkout(
            cart=cart,
            buyer=support.a_buyer(user=user),
            fingerprint=quote(cart).fingerprint,
            at=now(),
        )

    def _pay_on_page(self, session: str, how: str) -> None:
        url = f"{self.sandbox.url}/c/pay/{session}"
        led_to = self.sandbox.pay(url, **PAGE[how]).headers.get("Location", "")
        if "/confirm/" in led_to:
            self.questions.append(urljoin(url, led_to))
        if led_to and how == "debit":
            self.debits.append(session)

    def _confirm(self, intent: str, how: str) -> None:
        # A fault that was meant for the shop may strike here.
        with suppress(requests.RequestException):
            answer = requests.post(
                f"{settings.STRIPE_API_HOST}/v1/payment_intents/{intent}/confirm",
                data={"payment_method": TOKEN[how], "return_url": "https://app.example/paid"},
                headers={"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"},
                timeout=10,
            ).json()
            if answer.get("status") == "processing":
                self.debits.append(intent)
            if answer.get("next_action"):
                self.questions.append(answer["next_action"]["redirect_to_url"]["url"])


def _is_payable(payment: dict[str, Any]) -> bool:
    if payment["session"]:
        return bool(payment["session_status"] == "open")
    return str(payment["intent_status"]).startswith("requires_")
