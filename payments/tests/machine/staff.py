"""What staff do: cancel, refund, answer reviews, book by hand, hand over."""

from uuid import UUID

from hypothesis import strategies as st

from orders.models import Order, Reason, Review, Status
from payments.models import LedgerEntry, Refund
from payments.services import canceling, fulfilling, manual, refunds, reviews, sums
from payments.services.manual import Entry
from payments.tests.machine.world import ANY, STAFF, World, pick, step
from shop.clock import now

UNITS = st.integers(1, 2)
# Minor units; none is all that is left.
SOME = st.sampled_from([None, None, 1_00, 9_99])


class Office(World):
    @step("pending", which=ANY)
    def call_off_pending(self, which: int) -> None:
        order = pick(Order.objects.pending().order_by("pk"), which)
        canceling.cancel(
            order_id=order.pk, reason=Reason.STAFF, at=now(), by=STAFF, note="Out of print."
        )

    @step("paid", which=ANY)
    def call_off_paid(self, which: int) -> None:
        """Call off an order that cost nothing."""
        order = pick(Order.objects.filter(status=Status.PAID).order_by("pk"), which)
        refunds.call_off(order_id=order.pk, by=STAFF, at=now())

    @step("captures", which=ANY, amount=SOME)
    def refund(self, which: int, amount: int | None) -> None:
        capture = pick(LedgerEntry.objects.filter(kind="capture").order_by("pk"), which)
        left = refunds.refundable_minor(order=capture.order, charge_id=capture.charge_id)
        refunds.ask(
            order_id=capture.order_id,
            charge_id=capture.charge_id,
            amount_minor=amount or left,
            why=Refund.Why.REQUESTED,
            by=STAFF,
            at=now(),
        )

    @step("captures", which=ANY, line=ANY, units=UNITS, restock=st.booleans())
    def refund_units(self, which: int, line: int, units: int, restock: bool) -> None:
        capture = pick(LedgerEntry.objects.filter(kind="capture").order_by("pk"), which)
        quantities = {pick(capture.order.lines.all(), line).pk: units}
        refunds.ask(
            order_id=capture.order_id,
            charge_id=capture.charge_id,
            amount_minor=refunds.amount_of_units(order=capture.order, quantities=quantities),
            why=Refund.Why.UNAVAILABLE,
            by=STAFF,
            at=now(),
            quantities=quantities,
            restock=restock,
        )

    @step("reviews", which=ANY)
    def accept(self, which: int) -> None:
        review = pick(Review.objects.open(), which)
        reviews.accept(review_id=review.pk, by=STAFF, at=now())

    @step("reviews", which=ANY)
    def refund_reviewed(self, which: int) -> None:
        review = pick(Review.objects.open(), which)
        reviews.refund(review_id=review.pk, by=STAFF, at=now())

    @step("reviews", which=ANY, is_paid=st.booleans(), form=st.uuids(version=4))
    def settle_by_hand(self, which: int, is_paid: bool, form: UUID) -> None:
        """Enter what a reviewed order lacks, or all that it has as given back."""
        review = pick(Review.objects.open(), which)
        kept = sums.kept(review.order)
        currency = pick([*kept, review.order.currency], 0)
        amount_minor = (review.order.total_minor if is_paid else 0) - kept[currency]
        self._enter(review.order, amount_minor, currency, form, review.pk)

    @step("orders", which=ANY, amount=SOME, sign=st.sampled_from([1, -1]), form=st.uuids(version=4))
    def enter_money(self, which: int, amount: int | None, sign: int, form: UUID) -> None:
        order = pick(Order.objects.order_by("pk"), which)
        amount_minor = sign * (amount or order.total_minor)
        self._enter(order, amount_minor, order.currency, form, None)

    @step("paid", which=ANY, line=ANY, units=UNITS)
    def hand_over(self, which: int, line: int, units: int) -> None:
        order = pick(Order.objects.filter(status=Status.PAID).order_by("pk"), which)
        quantities = {pick(order.lines.all(), line).pk: units}
        fulfilling.hand_over(order_id=order.pk, quantities=quantities, by=STAFF, at=now())

    @step("paid", which=ANY)
    def hand_all_over(self, which: int) -> None:
        order = pick(Order.objects.filter(status=Status.PAID).order_by("pk"), which)
        left = {pk: n for pk, n in fulfilling.left_to_hand_over(order).items() if n}
        fulfilling.hand_over(order_id=order.pk, quantities=left, by=STAFF, at=now())

    def _enter(
        self, order: Order, amount_minor: int, currency: str, form: UUID, review_id: int | None
    ) -> None:
        if amount_minor:
            entry = Entry(amount_minor, currency, form, review_id)
            manual.book(order_id=order.pk, entry=entry, by=STAFF, at=now())
