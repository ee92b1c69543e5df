"""The machine: every step that anybody may take, what holds after each, and what in the end."""

from typing import Any

from django.apps import apps
from django.db.models import Model
from hypothesis.stateful import invariant

from orders.models import Order
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
        """Judge anew what was written; of what is judged here nothing changes with time alone."""
        is_written, _ = self.look()
        if is_written:
            checks.check_audit(but=checks.AT_REST_ONLY)
            checks.check_stock()
            checks.check_orders()
            self._check_owners()
        self.is_sound = True

    def _check_owners(self) -> None:
        """Let a stranger look at each order once in each of its states: a page takes its time."""
        moved = set(Order.objects.values_list("number", "status")) - self.refused_to_strangers
        checks.check_owners(self.stranger, {number for number, _ in moved})
        self.refused_to_strangers |= moved

    def begin(self, bought: list[str], *, is_heard: bool) -> None:
        then = self.scene.then[self.seed % len(self.scene.then)]
        for name, arguments in self.scene.begins + then:
            getattr(self, name)(**arguments)
        for which, how in enumerate(bought):
            self.buy(which=which, variant=which, how=how)
            if is_heard:
                self.hear_news()

    def end(self) -> None:
        self.clear_up()
        self.work()
        self._come_to_rest()
        self.decide_all()
        self._hear_and_ask()
        # A buyer whose bank debit failed has a day to pay in another way.
        self.stripe("clock", advance=2 * 24 * 60 * 60)
        self._come_to_rest()
        checks.check_audit()
        checks.check_stock()
        checks.check_orders()
        self._check_owners()
        checks.check_sales()
        checks.check_surplus()
        checks.check_rest()
        checks.check_against_stripe(self.sandbox.get("books"))
        self._check_that_all_is_done()

    def _come_to_rest(self) -> None:
        """Let the shop hear, ask and work until nothing happens any more."""
        for _ in range(_ROUNDS):
            self._hear_and_ask()
            _, is_news = self.look()
            if not is_news:
                return
        raise AssertionError("it does not come to rest")

    def _hear_and_ask(self) -> None:
        self.stripe("clock", advance=61 * 60)
        if not self.is_deaf:
            self.hear_news()
        self.tick()

    def _check_that_all_is_done(self) -> None:
        """Told again, and even read again, what is done changes nothing."""
        self.heard.clear()
        self.hear_news()
        before = _snapshot()
        # A declined card is forgotten by Stripe's objects: its event alone tells of it, once.
        read_again = InboxEvent.objects.exclude(type="payment_intent.payment_failed")
        one_of_each = read_again.filter(state="done").order_by("type", "-pk").distinct("type")
        again = list(one_of_each.values_list("pk", flat=True))
        InboxEvent.objects.filter(pk__in=again).update(state="received")
        for pk in again:
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
