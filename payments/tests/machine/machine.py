"""The machine: every step that anybody may take, what holds after each, and what in the end."""

from typing import Any

from django.apps import apps
from django.db.models import Model
from hypothesis.stateful import invariant

from payments.models import InboxEvent
from payments.services import inbox
from payments.tests.machine import checks
from payments.tests.machine.buyer import Shopping
from payments.tests.machine.staff import Office
from payments.tests.machine.stripe_side import Banks
from payments.tests.machine.weather import Weather
from shop.clock import now
from shop.models import StockMovement, Variant

# A day's deadline, a session's, and the hour in which a fee becomes known.
_ROUNDS = 12
# When Stripe was asked, and how often an event was tried.
_NOTES = {"reconciled_at", "asked_at", "reached_at", "attempts", "finished_at"}


class Shop(Shopping, Office, Banks, Weather):
    @invariant()
    def holds(self) -> None:
        checks.check_audit(at_rest=False)
        if self.look():
            checks.check_stock()
            checks.check_orders()
        self.is_sound = True

    def begin(self, bought: list[str], then: str, *, is_heard: bool) -> None:
        for which, how in enumerate(bought):
            self.buy(which=which, variant=which, how=how)
            if is_heard:
                self.hear_news()
        match then:
            case "disputed":
                self.dispute(which=0, amount=None, inquiry=False, withdraw=True)
            case "charged again":
                self.charge_again(which=0)
            case "refunded":
                self.refund_in_dashboard(which=0, amount=None)

    def end(self) -> None:
        self.clear_up()
        self.work()
        self._come_to_rest()
        self.decide_all()
        self._come_to_rest()
        # A buyer whose bank debit failed has a day to pay in another way.
        self.stripe("clock", advance=2 * 24 * 60 * 60)
        self._come_to_rest()
        self.holds()
        checks.check_audit(at_rest=True)
        checks.check_sales()
        checks.check_surplus()
        checks.check_rest()
        checks.check_against_stripe(self.sandbox.get("books"))
        self._check_that_all_is_done()

    def _come_to_rest(self) -> None:
        """Let the shop hear, ask and work until nothing happens any more."""
        for _ in range(_ROUNDS):
            self.stripe("clock", advance=61 * 60)
            if not self.is_deaf:
                self.hear_news()
            self.tick()
            if not self.look():
                return
        raise AssertionError("it does not come to rest")

    def _check_that_all_is_done(self) -> None:
        """Told again, and even read again, what is done changes nothing."""
        self.heard.clear()
        self.hear_news()
        before = _snapshot()
        # A declined card is forgotten by Stripe's objects: its event alone tells of it, once.
        read_again = InboxEvent.objects.exclude(type="payment_intent.payment_failed")
        read_again.filter(state="done").update(state="received")
        for pk in InboxEvent.objects.values_list("pk", flat=True):
            inbox.process(inbox_id=pk, at=now())
        self.work()
        assert _snapshot() == before


def _snapshot() -> dict[str, list[dict[str, Any]]]:
    """Return every row that an event may change, but for the notes of when it was read."""
    models: list[type[Model]] = [Variant, StockMovement]
    for app in ("cart", "orders", "payments"):
        models += apps.get_app_config(app).get_models()
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in _NOTES}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in models
    }
