"""What staff do: cancel, refund, answer reviews, book by hand, hand over."""

from uuid import UUID

from hypothesis import strategies as st

from orders.models import Order, Reason, Review, Status
from payments.models import Dispute, LedgerEntry, Refund
from payments.services import canceling, fulfilling, manual, refund_amounts, refunds, reviews, sums
from payments.services.manual import Entry
from payments.tests.machine.world import ANY, STAFF, NothingThere, World, pick, step
from shop.clock import now

UNITS = st.integers(1, 2)
# Minor units; none is all that is left.
SOME = st.sampled_from([None, None, 1_00, 9_99])


class Office(World):
    @step("cancelable", which=ANY)
    def call_off_pending(self, which: int) -> None:
        order = pick(Order.objects.pending().order_by("pk"), which)
        canceling.cancel(
            order_id=order.pk, reason=Reason.STAFF, at=now(), by=STAFF, note="Out of print."
        )

    @step("free", which=ANY)
    def call_off_paid(self, which: int) -> None:
        """Call off an order that cost nothing."""
        free = Order.objects.filter(status=Status.PAID, total_minor=0)
        order = pick(free.order_by("pk"), which)
        refunds.call_off(order_id=order.pk, by=STAFF, at=now())

    @step("captures", which=ANY, amount=SOME)
    def refund(self, which: int, amount: int | None) -> None:
        capture, left = pick(_refundable(), which)
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
        capture, _left = pick(_refundable(), which)
        quantities = {pick(capture.order.lines.all(), line).pk: units}
        refunds.ask(
            order_id=capture.order_id,
            charge_id=capture.charge_id,
            amount_minor=refund_amounts.amount_of_units(order=capture.order, quantities=quantities),
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

    @step(
        "orders",
        which=ANY,
        amount=SOME,
        sign=st.sampled_from([-1, -1, 1]),
        form=st.uuids(version=4),
    )
    def enter_money(self, which: int, amount: int | None, sign: int, form: UUID) -> None:
        in_review = Review.objects.open().values("order")
        order = pick(Order.objects.exclude(pk__in=in_review).order_by("pk"), which)
        amount_minor = sign * (amount or sums.kept(order)[order.currency])
        if order.is_pending:
            amount_minor = amount or order.total_minor
        self._enter(order, amount_minor, order.currency, form, None)

    @step("paid", which=ANY, line=ANY, units=UNITS)
    def hand_over(self, which: int, line: int, units: int) -> None:
        order = pick(Order.objects.filter(status=Status.PAID).order_by("pk"), which)
        left = [pk for pk, n in fulfilling.left_to_hand_over(order).items() if n]
        quantities = {pick(left, line): units}
        fulfilling.hand_over(order_id=order.pk, quantities=quantities, by=STAFF, at=now())

    @step("paid", which=ANY)
    def hand_all_over(self, which: int) -> None:
        order = pick(Order.objects.filter(status=Status.PAID).order_by("pk"), which)
        left = {pk: n for pk, n in fulfilling.left_to_hand_over(order).items() if n}
        fulfilling.hand_over(order_id=order.pk, quantities=left, by=STAFF, at=now())

    @step("lost", which=ANY)
    def put_back(self, which: int) -> None:
        lost = Order.objects.filter(status=Status.PAID, disputes__status=Dispute.Status.LOST)
        order = pick(lost.distinct().order_by("pk"), which)
        fulfilling.put_back(order_id=order.pk, by=STAFF, at=now())

    def _enter(
        self, order: Order, amount_minor: int, currency: str, form: UUID, review_id: int | None
    ) -> None:
        if not amount_minor:
            raise NothingThere
        entry = Entry(amount_minor, currency, form, review_id)
        manual.book(order_id=order.pk, entry=entry, by=STAFF, at=now())


def _refundable() -> list[tuple[LedgerEntry, int]]:
    """Return each capture of which something is left to give back, and how much."""
    captures = LedgerEntry.objects.filter(kind="capture").select_related("order").order_by("pk")
    left = [
        (c, refund_amounts.refundable_minor(order=c.order, charge_id=c.charge_id)) for c in captures
    ]
    return [(capture, left_minor) for capture, left_minor in left if left_minor > 0]
